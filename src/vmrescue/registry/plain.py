"""The fast part of a hive's check: a key's values and subkeys, in one pass over the bytes, without objects.

It handles plain keys, as nearly all are: names in ASCII, data inline or in one cell, lists in order, no class name. If
everything about a key is plain and right, it records the key as the owner of its cells. Otherwise it changes nothing,
and `check` examines the key in full. So it cannot miss a problem: it only confirms that all is right. Source: that of
`check`.
"""

from __future__ import annotations

import struct
import sys
from array import array
from itertools import repeat
from operator import mul
from typing import TYPE_CHECKING

from vmrescue.registry import key_node, key_value, names
from vmrescue.registry.cells import BINS, NIL

if TYPE_CHECKING:
    from collections import Counter

FREE, USED, OWNED = range(3)  # states of an offset: no cell in use begins here; a cell in use; one that has an owner
_LIST = struct.Struct("<i2sH")  # the cell's size; of a list of subkeys: signature, count
# The cell's size; of a key value: signature, name, size, data, flags.
_VALUE = struct.Struct("<i2sHII4xH")
# The cell's size; of a key node: signature, flags, parent, lengths of name and class name.
_NODE = struct.Struct("<i2sH12xI52xHH")
# Of a key node in its cell: flags, access bits, subkeys, their list, values, their list, security, class name, largest
# name of a subkey, largest class name, name and data of a value, length of the class name.
_KEY = struct.Struct("<6xH8xI4xI4xI4xIIIIH2xIII6xH")
_VALUE_NAME, _NODE_NAME, _ENTRIES = 4 + key_value.LAYOUT.size, 4 + key_node.LAYOUT.size, 8
_VALUE_NAME_IN_FILE, _NODE_NAME_IN_FILE = BINS + _VALUE_NAME, BINS + _NODE_NAME
_ODD = key_node.HIVE_EXIT | key_node.HIVE_ENTRY | key_node.NO_DELETE | key_node.PREDEF_HANDLE
_NO_VALUES = key_node.SYM_LINK | key_node.PREDEF_HANDLE
_POWERS = tuple(pow(37, exponent, 1 << 32) for exponent in range(255, -1, -1))  # for the hash of a name
_WIDTH = {b"lf": 2, b"lh": 2, b"li": 1}  # numbers of an entry
MOST_NAMES = 1 << 14  # names of keys that are kept: the same ones are in hundreds of places


def numbers(raw: memoryview) -> memoryview | array[int]:
    """A hive's bins as signed numbers of four bytes, which is what the sizes of cells are."""
    if sys.byteorder == "little":
        return raw.cast("i")
    found = array("i", raw)
    found.byteswap()
    return found


class Marks:
    """The state of each cell of a hive: whether it is in use, and whether it has an owner.

    Attributes:
        states: one for each place at which a cell can begin, which are the multiples of 8.
    """

    def __init__(self, bins_size: int) -> None:
        self.states = bytearray(bins_size >> 3)

    def state(self, offset: int) -> int:
        """The state of the cell at an offset; `FREE` if no cell can begin there."""
        place = offset >> 3
        return FREE if offset & 7 or place >= len(self.states) else self.states[place]

    def take(self, offset: int) -> bool:
        """Marks a cell in use as owned. False if it is not in use or owned already."""
        if self.state(offset) != USED:
            return False
        self.states[offset >> 3] = OWNED
        return True

    def lost(self) -> list[int]:
        """The cells in use without an owner, in order."""
        found, place = [], self.states.find(USED)
        while place >= 0:
            found.append(place << 3)
            place = self.states.find(USED, place + 1)
        return found


class PlainCells:
    """The fast check of keys, on a hive's bins as bytes.

    Args:
        whole: the hive's file up to the end of its bins.
        marks: the states of the cells; owned cells are marked there.
        minor: the hive's version is 1.`minor`.
        descriptors: by the cell of a security descriptor, the number of keys that refer to it; plain keys are added.
    """

    def __init__(self, whole: bytes, marks: Marks, minor: int, descriptors: Counter[int]) -> None:
        self._whole = whole  # a slice of it is `bytes`
        self._raw = memoryview(whole)[BINS:]
        self._sizes = numbers(self._raw)
        self._states = marks.states
        self._descriptors = descriptors
        self._longest_data = key_value.SEGMENT if minor >= key_value.BIG_DATA_MINOR else 1 << 31
        self._names: dict[bytes, tuple[bytes, int] | None] = {}

    def take(self, key: int) -> list[int] | None:
        """The subkeys of a key, if all that it has is plain and right; else None.

        Its own name and flags are looked at with its parent's list. The cells of its values, of its list and of its
        subkeys are then marked as owned.

        Args:
            key: a cell that has a key node.
        """
        taken: list[int] = []  # places in the states
        try:
            subkeys = self._take(key, taken)
        except (struct.error, IndexError):  # an offset behind the hive's end, or a cell at its end that is too short
            subkeys = None
        if subkeys is None:
            for place in taken:
                self._states[place] = USED
        return subkeys

    def _take(self, key: int, taken: list[int]) -> list[int] | None:
        (
            flags,
            access_bits,
            subkey_count,
            subkey_list,
            value_count,
            value_list,
            security,
            class_name,
            most_subkey,
            most_class,
            most_name,
            most_data,
            class_length,
        ) = _KEY.unpack_from(self._raw, key)
        if access_bits & key_node.LAYER or class_length or class_name != NIL:
            return None
        if value_count:
            if flags & _NO_VALUES or not self._values(value_list, value_count, most_name // 2, most_data, taken):
                return None
        elif value_list != NIL:
            return None
        subkeys: list[int] = []
        if subkey_count:
            most = min(most_subkey // 2, names.MAX_KEY_NAME)
            last = b""
            for leaf in self._leaves(subkey_list, taken):
                end = self._leaf(leaf, key, last, most, most_class, subkeys, taken)
                if end is None:
                    return None
                last = end
            if len(subkeys) != subkey_count:
                return None
        self._descriptors[security] += 1
        return subkeys

    def _values(self, listed: int, count: int, most_name: int, most_data: int, taken: list[int]) -> bool:
        """Whether the values of a list are plain, and as large as their key says at most."""
        raw, states, sizes, longest = self._raw, self._states, self._sizes, self._longest_data
        whole, unpack, take = self._whole, _VALUE.unpack_from, taken.append
        place = listed >> 3
        if listed & 7 or states[place] != USED or -sizes[listed >> 2] < 4 + 4 * count:
            return False
        states[place] = OWNED
        take(place)
        found = []
        for offset in struct.unpack_from(f"<{count}I", raw, listed + 4):
            place = offset >> 3
            if offset & 7 or states[place] != USED:
                return False
            states[place] = OWNED
            take(place)
            room, signature, length, size, data, flags = unpack(raw, offset)
            if signature != b"vk" or length > most_name or _VALUE_NAME + length > -room:
                return False
            if flags != 1 and (flags or length):
                return False
            name = offset + _VALUE_NAME_IN_FILE
            found.append(whole[name : name + length])
            if size & key_value.INLINE:
                if size & ~key_value.INLINE > most_data or size & ~key_value.INLINE > key_value.INLINE_MOST:
                    return False
            elif size:
                place = data >> 3
                if data & 7 or states[place] != USED or size > most_data or size > longest:
                    return False
                if size > -sizes[data >> 2] - 4:
                    return False
                states[place] = OWNED
                take(place)
            elif data != NIL:
                return False
        return b"".join(found).isascii() and (count == 1 or len(set(map(bytes.upper, found))) == count)

    def _leaves(self, offset: int, taken: list[int]) -> tuple[int, ...]:
        """The leaves of a list; the list itself if it is not split; empty if it is no list."""
        place = offset >> 3
        if offset & 7 or self._states[place] != USED:
            return ()
        room, signature, count = _LIST.unpack_from(self._raw, offset)
        if signature != b"ri":
            return (offset,)
        if _ENTRIES + 4 * count > -room:
            return ()
        self._states[place] = OWNED
        taken.append(place)
        return struct.unpack_from(f"<{count}I", self._raw, offset + _ENTRIES)

    def _leaf(
        self, leaf: int, key: int, last: bytes, most_name: int, most_class: int, subkeys: list[int], taken: list[int]
    ) -> bytes | None:
        """Adds the subkeys of a leaf whose names are sorted behind `last`, have right hints, and are in their key.

        Returns the last one's name in upper case; None if something is not plain.
        """
        raw, states, unpack, known, take = self._raw, self._states, _NODE.unpack_from, self._names, taken.append
        whole = self._whole
        place = leaf >> 3
        if leaf & 7 or states[place] != USED:
            return None
        room, kind, count = _LIST.unpack_from(raw, leaf)
        width = _WIDTH.get(kind)
        if width is None or not count or _ENTRIES + 4 * width * count > -room:
            return None
        states[place] = OWNED
        take(place)
        entries = struct.unpack_from(f"<{width * count}I", raw, leaf + _ENTRIES)
        hashed, hinted = kind == b"lh", kind == b"lf"
        for offset, hint in zip(entries[::width], entries[1::2] if width == 2 else repeat(0), strict=False):
            place = offset >> 3
            if offset & 7 or states[place] != USED:
                return None
            states[place] = OWNED
            take(place)
            room, signature, flags, parent, length, class_length = unpack(raw, offset)
            if signature != b"nk" or parent != key or flags & _ODD or not flags & key_node.COMP_NAME:
                return None
            if length > most_name or class_length > most_class or _NODE_NAME + length > -room:
                return None
            start = offset + _NODE_NAME_IN_FILE
            name = whole[start : start + length]
            folded = known[name] if name in known else self._fold(name)
            if folded is None or folded[0] <= last:
                return None
            if hashed and hint != folded[1]:
                return None
            if hinted and hint != int.from_bytes(name[:4], "little"):
                return None
            last = folded[0]
            subkeys.append(offset)
        return last

    def _fold(self, name: bytes) -> tuple[bytes, int] | None:
        """(the name in upper case, the hash of that); None if it is no plain name of a key."""
        folded = None
        if name and name[0] and name.isascii() and b"\\" not in name:
            upper = name.upper()
            folded = upper, sum(map(mul, upper, _POWERS[-len(upper) :])) & 0xFFFFFFFF
        if len(self._names) >= MOST_NAMES:
            self._names.clear()
        self._names[name] = folded
        return folded
