"""The fast part of a hive's check: a key's list of subkeys, and the values of each, over the bytes, without objects.

It handles plain keys, as nearly all are: names in ASCII, data inline or in one cell, lists in order, no class name. If
everything is plain and right, it records who owns the cells. Otherwise it changes nothing, and `check` examines the
list or the key in full. So it cannot miss a problem: it only confirms that all is right. Source: that of `check`.
"""

from __future__ import annotations

import struct
import sys
from array import array
from itertools import repeat
from typing import TYPE_CHECKING, Any

from vmrescue.registry import key_node, key_value, names
from vmrescue.registry.cells import BINS, NIL

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable, Iterator

FREE, USED, OWNED = range(3)  # states of an offset: no cell in use begins here; a cell in use; one that has an owner
# The head of a cell, eight bytes that many cells have alike: size, signature, and a key node's flags, the length of a
# value's name, or a list's count. Below, `Q` is a head as one number.
_HEAD = struct.Struct("<i2sH")
_VALUE = struct.Struct("<QiI4xH")  # of a key value: head, size with the highest bit as its sign, data, flags
_LISTED = struct.Struct("<Q12xI52xI")  # of a key node: head, parent, lengths of name and class name as one number
# Of a key node: flags, access bits, subkeys, values, their list, security, class name, largest name and data of a
# value, length of the class name.
_OWN = struct.Struct("<6xH8xI4xI12xIIII8xII6xH")
_BELOW = struct.Struct("<24xI4xI20xH2xI")  # of a key node: subkeys, their list, largest name and class name of a subkey
_VALUE_NAME, _NODE_NAME, _ENTRIES = 4 + key_value.LAYOUT.size, 4 + key_node.LAYOUT.size, 8
_VALUE_NAME_IN_FILE, _NODE_NAME_IN_FILE = BINS + _VALUE_NAME, BINS + _NODE_NAME
_ODD = key_node.HIVE_EXIT | key_node.HIVE_ENTRY | key_node.NO_DELETE | key_node.PREDEF_HANDLE
_NO_VALUES = key_node.SYM_LINK | key_node.PREDEF_HANDLE
_NO_NAME = 1 << 32  # bytes; no name is as long
_WIDTH = {b"lf": 2, b"lh": 2, b"li": 1}  # numbers of an entry
MOST_KNOWN = 1 << 14  # names, heads and so on that are kept: the same ones are in hundreds of places


def sizes_of(bins: memoryview) -> memoryview:
    """What stands at each place of a hive's bins at which a cell can begin, which are the multiples of 8: its size."""
    if sys.byteorder == "little":
        return bins.cast("i")[::2]
    found = array("i", bins)
    found.byteswap()
    return memoryview(found)[::2]


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


class _Known(dict[Any, Any]):
    """What a function answers, asked once of each argument."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function

    def __missing__(self, argument: Any) -> Any:
        if len(self) >= MOST_KNOWN:
            self.clear()
        answer = self[argument] = self._function(argument)
        return answer


def _longest_name(head: int) -> int:
    """The longest name that a key node's cell has room for; -1 if it is no plain key's."""
    size, signature, flags = _HEAD.unpack(head.to_bytes(8, "little"))
    is_plain = signature == b"nk" and flags & (_ODD | key_node.COMP_NAME) == key_node.COMP_NAME
    return max(-size - _NODE_NAME, -1) if is_plain else -1


def _length_of_name(head: int) -> int:
    """The length of a key value's name; `_NO_NAME` if its cell is no key value's, or has no room for it."""
    size, signature, length = _HEAD.unpack(head.to_bytes(8, "little"))
    return int(length) if signature == b"vk" and _VALUE_NAME + length <= -size else _NO_NAME


def _folded(name: bytes) -> tuple[bytes, int]:
    """(a key's name in upper case, the hash of that); (nothing, 0) if it is no plain name."""
    if not name or not name[0] or not name.isascii() or b"\\" in name:
        return b"", 0
    upper, number = name.upper(), 0
    for letter in upper:
        number = number * 37 + letter
    return upper, number & 0xFFFFFFFF


def _differ(found: tuple[bytes, ...]) -> bool:
    """Whether the names of a key's values are plain, and all different."""
    return b"".join(found).isascii() and len(set(map(bytes.upper, found))) == len(found)


def _reader_of(count: int) -> Callable[[memoryview, int], tuple[int, ...]]:
    """Reads so many offsets or hints of a list."""
    return struct.Struct(f"<{count}I").unpack_from


class PlainCells:
    """The fast check of keys, on a hive's bins as bytes.

    Its loops are functions inside of functions, which find all that they need at hand whenever they are called.

    Args:
        whole: the hive's file up to the end of its bins.
        marks: the states of the cells; owned cells are marked there.
        minor: the hive's version is 1.`minor`.
        descriptors: by the cell of a security descriptor, the number of keys that refer to it; plain keys are added.
    """

    def __init__(self, whole: bytes, marks: Marks, minor: int, descriptors: Counter[int]) -> None:
        self._whole = whole  # a slice of it is `bytes`
        self._raw = memoryview(whole)[BINS:]
        self._sizes = sizes_of(self._raw)
        self._states = marks.states
        self._descriptors = descriptors
        self._readers = _Known(_reader_of)
        self._values = self._check_of_values(key_value.SEGMENT if minor >= key_value.BIG_DATA_MINOR else 1 << 31)
        self._leaf = self._check_of_leaves()

    def odd(self, keys: Iterable[int], with_subkeys: list[int]) -> Iterator[int]:
        """Those keys whose class name, values or access bits are not plain and right, in order.

        The cells of the others' values are marked as owned; those that have subkeys are added to `with_subkeys`.
        """
        raw, unpack, descriptors, values = self._raw, _OWN.unpack_from, self._descriptors, self._values
        for key in keys:
            flags, access, below, count, listed, security, class_name, most_name, most_data, class_length = unpack(
                raw, key
            )
            if class_name != NIL or class_length or access & key_node.LAYER:
                is_plain = False
            elif count:
                is_plain = not flags & _NO_VALUES and values(listed, count, most_name, most_data)
            else:
                is_plain = listed == NIL
            if not is_plain:
                yield key
            else:
                descriptors[security] += 1
                if below:
                    with_subkeys.append(key)

    def subkeys(self, key: int) -> list[int] | None:
        """The subkeys of a key, if their list, their names and their flags are plain and right; else None.

        The cells of the list and of the subkeys are then marked as owned.

        Args:
            key: a cell that has a key node.
        """
        taken: list[int] = []  # places in the states
        try:
            subkeys = self._subkeys(key, taken)
        except (struct.error, IndexError):  # an offset behind the hive's end, or a cell at its end that is too short
            subkeys = None
        if subkeys is None:
            self._give_back(taken)
        return subkeys

    def _subkeys(self, key: int, taken: list[int]) -> list[int] | None:
        count, listed, most_name, most_class = _BELOW.unpack_from(self._raw, key)
        subkeys: list[int] = []
        if count:
            most, last = min(most_name // 2, names.MAX_KEY_NAME), b""
            for leaf in self._leaves(listed, taken):
                last = self._leaf(leaf, key, last, most, most_class, subkeys, taken)
                if not last:
                    return None
        return subkeys if len(subkeys) == count else None

    def _give_back(self, taken: list[int]) -> bool:
        """Marks cells as used that were owned. Returns False."""
        for place in taken:
            self._states[place] = USED
        return False

    def _leaves(self, offset: int, taken: list[int]) -> tuple[int, ...]:
        """The leaves of a list; the list itself if it is not split; empty if it is no list."""
        room, signature, count = _HEAD.unpack_from(self._raw, offset)
        if signature != b"ri":
            return (offset,)
        place = offset >> 3
        if offset & 7 or self._states[place] != USED or _ENTRIES + 4 * count > -room:
            return ()
        self._states[place] = OWNED
        taken.append(place)
        found: tuple[int, ...] = self._readers[count](self._raw, offset + _ENTRIES)
        return found

    def _check_of_values(self, longest_data: int) -> Callable[[int, int, int, int], bool]:
        raw, states, sizes, whole, unpack = self._raw, self._states, self._sizes, self._whole, _VALUE.unpack_from
        give_back, readers, lengths, differ = self._give_back, self._readers, _Known(_length_of_name), _Known(_differ)

        def values(listed: int, count: int, most_name: int, most_data: int) -> bool:
            """Whether a list's values are plain, and not larger than their key says; then their cells are owned."""
            most_name //= 2
            most = most_data if most_data < longest_data else longest_data
            taken: list[int] = []  # places in the states
            found = []  # names
            try:
                place = listed >> 3
                if listed & 7 or states[place] != USED or -sizes[place] < 4 + 4 * count:
                    return False
                states[place] = OWNED
                taken.append(place)
                for offset in readers[count](raw, listed + 4):
                    place = offset >> 3
                    if offset & 7 or states[place] != USED:
                        return give_back(taken)
                    states[place] = OWNED
                    taken.append(place)
                    head, size, data, flags = unpack(raw, offset)
                    length = lengths[head]
                    if length > most_name or (flags != 1 and (flags or length)):
                        return give_back(taken)
                    if count > 1:
                        name = offset + _VALUE_NAME_IN_FILE
                        found.append(whole[name : name + length])
                    if size > 0:
                        place = data >> 3
                        if data & 7 or states[place] != USED or size > most or size + sizes[place] > -4:
                            return give_back(taken)
                        states[place] = OWNED
                        taken.append(place)
                    elif size:
                        size += 1 << 31  # the data itself is in the field for its offset
                        if size > most_data or size > key_value.INLINE_MOST:
                            return give_back(taken)
                    elif data != NIL:
                        return give_back(taken)
                return count == 1 or differ[tuple(found)] or give_back(taken)
            except (struct.error, IndexError):  # as above
                return give_back(taken)

        return values

    def _check_of_leaves(self) -> Callable[[int, int, bytes, int, int, list[int], list[int]], bytes]:
        raw, states, whole, readers, unpack = self._raw, self._states, self._whole, self._readers, _LISTED.unpack_from
        known, longest = _Known(_folded), _Known(_longest_name)

        def leaf_ends(
            leaf: int, key: int, last: bytes, most_name: int, most_class: int, subkeys: list[int], taken: list[int]
        ) -> bytes:
            """Adds the subkeys of a leaf whose names are sorted behind `last`, have right hints, and are in their key.

            Returns the last one's name in upper case; nothing if something is not plain.
            """
            place = leaf >> 3
            if leaf & 7 or states[place] != USED:
                return b""
            room, kind, count = _HEAD.unpack_from(raw, leaf)
            width = _WIDTH.get(kind)
            if width is None or not count or _ENTRIES + 4 * width * count > -room:
                return b""
            states[place] = OWNED
            taken.append(place)
            entries = readers[width * count](raw, leaf + _ENTRIES)
            offsets = entries[::width]
            hashed, hinted = kind == b"lh", kind == b"lf"
            for offset, hint in zip(offsets, entries[1::2] if width == 2 else repeat(0), strict=False):
                place = offset >> 3
                if offset & 7 or states[place] != USED:
                    return b""
                states[place] = OWNED
                taken.append(place)
                head, parent, length = unpack(raw, offset)
                if length > 0xFFFF:  # a class name, which few keys have
                    class_length, length = length >> 16, length & 0xFFFF
                    if class_length > most_class:
                        return b""
                if parent != key or length > most_name or length > longest[head]:
                    return b""
                start = offset + _NODE_NAME_IN_FILE
                name = whole[start : start + length]
                folded, name_hash = known[name]
                if folded <= last:
                    return b""
                if hashed:
                    if hint != name_hash:
                        return b""
                elif hinted and hint != int.from_bytes(name[:4], "little"):
                    return b""
                last = folded
            subkeys += offsets
            return last

        return leaf_ends
