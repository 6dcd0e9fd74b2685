"""Adds keys to lists of subkeys and removes them; splits and joins the lists' leaves.

Windows limits a leaf to as many entries as `li` entries fit into one page. A longer leaf is split in two under an index
root.
Source: M. Suhanov, "Windows registry file format specification", sections "Index leaf" to "Index root"; the limits
are those of the longest lists in real hives.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.errors import FormatError
from vmrescue.registry import names
from vmrescue.registry.cells import BINS, NIL
from vmrescue.registry.subkey_list import HEADER, WIDTH, bisect, header, leaf_for, read_root

if TYPE_CHECKING:
    from vmrescue.registry.cells import Cells
    from vmrescue.registry.space import Space

# Most entries of a leaf. A fast leaf that grows beyond its limit becomes an index leaf, as in Windows.
MOST = {b"lf": 507, b"lh": 1012, b"li": 1012}
HASH_LEAF_MINOR = 5  # the first version with hash leaves


@dataclass
class Leaf:
    """A leaf, read into memory to be changed. `hints` are the second fields of its entries; empty for `li`."""

    offset: int
    signature: bytes
    keys: list[int]
    hints: list[int]

    @classmethod
    def read(cls, cells: Cells, offset: int) -> Leaf:
        signature, count, position = header(cells, offset)
        if signature == b"ri":
            raise FormatError("subkey list", BINS + offset, "a leaf under an index root", "an index root")
        entries = cells.data.unpack(struct.Struct(f"<{WIDTH[signature] // 4 * count}I"), position)
        if signature == b"li":
            return cls(offset, signature, list(entries), [0] * count)
        return cls(offset, signature, list(entries[::2]), list(entries[1::2]))

    def add(self, cells: Cells, key: int, name: str) -> None:
        place = bisect(cells, self.keys, names.order(name))
        self.keys.insert(place, key)
        self.hints.insert(place, names.name_hash(name) if self.signature == b"lh" else names.name_hint(name))
        if self.signature == b"lf" and len(self.keys) > MOST[b"lf"]:
            self.signature = b"li"

    def remove(self, key: int) -> None:
        if key not in self.keys:
            raise FormatError("subkey list", BINS + self.offset, f"the key at 0x{key:x}, by its name", "none")
        place = self.keys.index(key)
        del self.keys[place], self.hints[place]

    def split(self) -> list[Leaf]:
        """The leaf alone if it is short enough, else its two halves; the upper half has no cell yet."""
        if len(self.keys) <= MOST[self.signature]:
            return [self]
        half = len(self.keys) // 2
        upper = Leaf(NIL, self.signature, self.keys[half:], self.hints[half:])
        del self.keys[half:], self.hints[half:]
        return [self, upper]

    def take(self, upper: Leaf) -> bool:
        """Takes over the entries of the next leaf if both together have at most half of a leaf's limit."""
        if self.signature != upper.signature or len(self.keys) + len(upper.keys) > MOST[self.signature] // 2:
            return False
        self.keys += upper.keys
        self.hints += upper.hints
        return True

    def store(self, cells: Cells, space: Space, near: int) -> int:
        """Writes the leaf, in its own cell if it fits. Returns the cell."""
        entries = self.keys
        if self.signature != b"li":
            entries = self.keys * 2
            entries[::2], entries[1::2] = self.keys, self.hints
        self.offset = _store(cells, space, self.offset, self.signature, len(self.keys), entries, near)
        return self.offset


def insert(cells: Cells, space: Space, offset: int, key: int, name: str, minor: int) -> int:
    """Adds a key to the list at `offset` (NIL: to a new list). Returns the list's cell."""
    if offset == NIL:
        leaf = Leaf(NIL, b"lh" if minor >= HASH_LEAF_MINOR else b"lf", [], [])
        leaf.add(cells, key, name)
        return leaf.store(cells, space, key)
    leaves = _leaves(cells, offset)
    place = leaf_for(cells, leaves, names.order(name))
    leaf = Leaf.read(cells, leaves[place])
    leaf.add(cells, key, name)
    parts = [part.store(cells, space, offset) for part in leaf.split()]
    return _store_root(cells, space, offset, leaves, [*leaves[:place], *parts, *leaves[place + 1 :]])


def remove(cells: Cells, space: Space, offset: int, key: int, name: str) -> int:
    """Removes a key from the list at `offset`. Returns the list's cell, NIL if the list is empty."""
    leaves = _leaves(cells, offset)
    place = leaf_for(cells, leaves, names.order(name))
    leaf = Leaf.read(cells, leaves[place])
    leaf.remove(key)
    rest = list(leaves)
    if not leaf.keys:
        space.free(rest.pop(place))
    elif len(leaves) == 1 or not _join(cells, space, rest, place, leaf):
        rest[place] = leaf.store(cells, space, offset)
    return _store_root(cells, space, offset, leaves, rest)


def _leaves(cells: Cells, offset: int) -> list[int]:
    """The cells of a list's leaves; the list itself if it is not split."""
    leaves = read_root(cells, offset) if header(cells, offset)[0] == b"ri" else [offset]
    if not leaves:
        raise FormatError("subkey list", BINS + offset, "an index root with a leaf", "none")
    return leaves


def _join(cells: Cells, space: Space, leaves: list[int], place: int, leaf: Leaf) -> bool:
    """Joins the leaf at `place` with its neighbour if both are small. True if it did."""
    other = place + 1 if place + 1 < len(leaves) else place - 1
    neighbour = Leaf.read(cells, leaves[other])
    lower, upper = (leaf, neighbour) if place < other else (neighbour, leaf)
    if not lower.take(upper):
        return False
    leaves[min(place, other)] = lower.store(cells, space, lower.offset)
    space.free(leaves.pop(max(place, other)))
    return True


def _store_root(cells: Cells, space: Space, offset: int, before: list[int], leaves: list[int]) -> int:
    """Replaces the leaves `before` of the list at `offset` by `leaves`. Returns the list's cell."""
    had_root = offset not in before
    if len(leaves) > 1:
        if leaves == before:
            return offset
        return _store(cells, space, offset if had_root else NIL, b"ri", len(leaves), leaves, leaves[0])
    if had_root:
        space.free(offset)
    return leaves[0] if leaves else NIL


def _store(cells: Cells, space: Space, offset: int, signature: bytes, count: int, entries: list[int], near: int) -> int:
    content = HEADER.pack(signature, count) + struct.pack(f"<{len(entries)}I", *entries)
    if offset == NIL:
        offset = space.allocate(len(content), near)
    elif len(content) > cells.find(offset, "subkey list")[1]:
        # Spare room, so that a list that grows key by key is not moved each time.
        offset = space.resize(offset, len(content) + len(content) // 8, near)
    cells.fill(offset, content)
    return offset
