"""The fast part of a hive's check: a key's values and subkeys, in one pass over the bytes, without objects.

It handles plain keys, as nearly all are: names in ASCII, data inline or in one cell, lists in order. If everything
about a key is plain and right, it records the key as the owner of its cells. Otherwise it changes nothing, and `check`
examines the key in full. So it cannot miss a problem: it only confirms that all is right. Source: that of `check`.
"""

from __future__ import annotations

import struct
from operator import mul
from typing import TYPE_CHECKING

from vmrescue.registry import key_node, key_value, names, subkey_list
from vmrescue.registry.cells import NIL

if TYPE_CHECKING:
    from vmrescue.registry.key_node import KeyNode

FREE, USED, OWNED = range(3)  # states of an offset: no cell in use begins here; a cell in use; one that has an owner
_SIZE = struct.Struct("<i")
_VALUE = struct.Struct("<i2sHIIIH")  # the cell's size; of a key value: signature, name, size, data, type, flags
_LIST = struct.Struct("<i2sH")  # the cell's size; of a list of subkeys: signature, count
# The cell's size; of a key node: signature, flags, parent, lengths of name and class name.
_NODE = struct.Struct("<i2sH12xI52xHH")
_VALUE_NAME, _NODE_NAME, _ENTRIES = 4 + key_value.LAYOUT.size, 4 + key_node.LAYOUT.size, 8
_ODD = key_node.HIVE_EXIT | key_node.HIVE_ENTRY | key_node.NO_DELETE | key_node.PREDEF_HANDLE
_POWERS = tuple(pow(37, exponent, 1 << 32) for exponent in range(255, -1, -1))  # for the hash of a name


class Marks:
    """The state of each cell of a hive: whether it is in use, and whether it has an owner."""

    def __init__(self, bins_size: int) -> None:
        self._states = bytearray(bins_size >> 3)  # cells begin at multiples of 8

    def use(self, offset: int) -> None:
        self._states[offset >> 3] = USED

    def state(self, offset: int) -> int:
        """The state of the cell at an offset; `FREE` if no cell can begin there."""
        place = offset >> 3
        return FREE if offset & 7 or place >= len(self._states) else self._states[place]

    def take(self, offset: int) -> bool:
        """Marks a cell in use as owned. False if it is not in use or owned already."""
        if self.state(offset) != USED:
            return False
        self._states[offset >> 3] = OWNED
        return True

    def take_all(self, offsets: list[int]) -> bool:
        """Marks all these cells as owned, or none of them and returns False."""
        for number, offset in enumerate(offsets):
            if not self.take(offset):
                for taken in offsets[:number]:
                    self._states[taken >> 3] = USED
                return False
        return True

    def lost(self) -> list[int]:
        """The cells in use without an owner, in order."""
        found, place = [], self._states.find(USED)
        while place >= 0:
            found.append(place << 3)
            place = self._states.find(USED, place + 1)
        return found


class PlainCells:
    """The fast check of keys, on a hive's bins as bytes.

    Args:
        raw: the bins.
        marks: the states of the cells; owned cells are marked there.
        minor: the hive's version is 1.`minor`.
    """

    def __init__(self, raw: bytes, marks: Marks, minor: int) -> None:
        self._raw = raw
        self._marks = marks
        self._longest_data = key_value.SEGMENT if minor >= key_value.BIG_DATA_MINOR else 1 << 31

    def node(self, offset: int) -> KeyNode:
        """The key node in a cell, which must have one."""
        return key_node.KeyNode._make(key_node.LAYOUT.unpack_from(self._raw, offset + 4))

    def takes_values(self, node: KeyNode) -> bool:
        """Whether all values of a key that has values are plain and right; their cells are then marked as owned."""
        try:
            return self._takes_values(node)
        except struct.error:  # a cell at the hive's end is too short
            return False

    def _takes_values(self, node: KeyNode) -> bool:
        raw, listed, count = self._raw, node.value_list, node.value_count
        if node.flags & (key_node.SYM_LINK | key_node.PREDEF_HANDLE) or self._marks.state(listed) != USED:
            return False
        if -_SIZE.unpack_from(raw, listed)[0] < 4 + 4 * count:
            return False
        offsets = struct.unpack_from(f"<{count}I", raw, listed + 4)
        cells = [listed, *offsets]
        seen: set[bytes] = set()
        state, most_name, most_data = self._marks.state, node.max_value_name // 2, node.max_value_data
        for offset in offsets:
            if state(offset) != USED:
                return False
            room, signature, length, stored, data, _, flags = _VALUE.unpack_from(raw, offset)
            name = raw[offset + _VALUE_NAME : offset + _VALUE_NAME + length].upper()
            known = flags == key_value.COMP_NAME or (not flags and not length)
            if signature != b"vk" or not known or length > most_name or _VALUE_NAME + length > -room:
                return False
            if name in seen or not name.isascii():
                return False
            seen.add(name)
            size = stored & ~key_value.INLINE
            if size > most_data:
                return False
            if stored & key_value.INLINE:
                if size > key_value.INLINE_MOST:
                    return False
            elif not size:
                if data != NIL:
                    return False
            else:
                if size > self._longest_data or state(data) != USED or size > -_SIZE.unpack_from(raw, data)[0] - 4:
                    return False
                cells.append(data)
        return self._marks.take_all(cells)

    def take_subkeys(self, key: int, node: KeyNode) -> list[int] | None:
        """The subkeys of a key that has subkeys, if its list and their names are plain and right; else None.

        The cells of the list and of the subkeys are then marked as owned.
        """
        try:
            return self._take_subkeys(key, node)
        except struct.error:
            return None

    def _take_subkeys(self, key: int, node: KeyNode) -> list[int] | None:
        cells: list[int] = []
        offsets: list[int] = []
        hints: list[tuple[bytes, int]] = []
        for leaf in self._leaves(node.subkey_list):
            found = self._leaf(leaf)
            if found is None:
                return None
            cells.append(leaf)
            offsets += found[0]
            hints += found[1]
            if len(offsets) > min(node.subkey_count, len(self._raw) // subkey_list.LEAST_KEY_CELL):
                return None  # a damaged list may have the same leaf many times
        if not cells or len(offsets) != node.subkey_count:
            return None
        if cells[0] != node.subkey_list:
            cells.append(node.subkey_list)
        if not self._in_order(key, node, offsets, hints):
            return None
        return offsets if self._marks.take_all(cells + offsets) else None

    def _in_order(self, key: int, node: KeyNode, offsets: list[int], hints: list[tuple[bytes, int]]) -> bool:
        """Whether subkeys are sorted by name, have right hints, and name the key as their parent."""
        raw, state, last = self._raw, self._marks.state, b""
        most_name, most_class = min(node.max_subkey_name // 2, names.MAX_KEY_NAME), node.max_subkey_class
        for offset, (kind, hint) in zip(offsets, hints, strict=True):
            if state(offset) != USED:
                return False
            room, signature, flags, parent, length, class_length = _NODE.unpack_from(raw, offset)
            if signature != b"nk" or parent != key or flags & _ODD or not flags & key_node.COMP_NAME:
                return False
            name = raw[offset + _NODE_NAME : offset + _NODE_NAME + length]
            if not 0 < length <= most_name or class_length > most_class or _NODE_NAME + length > -room:
                return False
            if not name.isascii() or not name[0] or b"\\" in name:
                return False
            upper = name.upper()
            if upper <= last:
                return False
            if kind == b"lh" and hint != sum(map(mul, upper, _POWERS[-length:])) & 0xFFFFFFFF:
                return False
            if kind == b"lf" and hint != int.from_bytes(name[:4], "little"):
                return False
            last = upper
        return True

    def _leaves(self, offset: int) -> tuple[int, ...]:
        """The leaves of a list; the list itself if it is not split; empty if it is no list."""
        if self._marks.state(offset) != USED:
            return ()
        room, signature, count = _LIST.unpack_from(self._raw, offset)
        if signature != b"ri":
            return (offset,)
        if _ENTRIES + 4 * count > -room:
            return ()
        return struct.unpack_from(f"<{count}I", self._raw, offset + _ENTRIES)

    def _leaf(self, offset: int) -> tuple[tuple[int, ...], list[tuple[bytes, int]]] | None:
        """The subkeys in a leaf, and (signature, hint) of each; None if it is no plain leaf."""
        if self._marks.state(offset) != USED:
            return None
        room, signature, count = _LIST.unpack_from(self._raw, offset)
        width = {b"lf": 2, b"lh": 2, b"li": 1}.get(signature)
        if width is None or not count or _ENTRIES + 4 * width * count > -room:
            return None
        entries = struct.unpack_from(f"<{width * count}I", self._raw, offset + _ENTRIES)
        hints = entries[1::2] if width == 2 else (0,) * count
        return entries[::width], [(signature, hint) for hint in hints]
