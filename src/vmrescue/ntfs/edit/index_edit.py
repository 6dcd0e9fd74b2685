"""Edits of an index: inserts and removes entries; splits nodes, merges them, and moves them back into the root.

Source for the rules of the tree: linux-ntfs documentation, "Index Header". All leaves have the same depth.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from vmrescue.errors import NotFoundError, RefusedError, in_volume
from vmrescue.ntfs.edit.placement import add_attribute, remove_attribute, resize, resize_zeroed, settle
from vmrescue.ntfs.index import (
    BLOCK_HEADER,
    BLOCK_SIGNATURE,
    ENTRY,
    ENTRY_HEADER,
    HAS_NODES,
    IS_LAST,
    NODE,
    NODE_HEADER,
    ROOT_HEADER,
    Index,
    IndexEntry,
    IndexNode,
)
from vmrescue.ntfs.structures.attribute import Attribute, Kind
from vmrescue.ntfs.structures.fields import align8
from vmrescue.ntfs.structures.fixup import begin, protect
from vmrescue.ntfs.structures.positions import BlockVcn

if TYPE_CHECKING:
    from vmrescue.ntfs.collation import Key

BITMAP_STEP = 8  # bytes
ARRAY_OFFSET = 0x28  # offset of the update sequence array in blocks that we make
UNDERFULL = 3  # a node that is less than a third full is merged with its neighbour, if both fit in one
_LAST = IndexEntry(ENTRY.pack(bytes(8), ENTRY_HEADER, 0, IS_LAST, 0))


class PathStep(NamedTuple):
    """One node on the path from the root down, and the index of the entry whose child is the next node."""

    node: IndexNode
    at: int


class IndexEditor:
    """Changes one index of a file. Each method leaves a valid index, and file records in which all attributes fit.

    Raises (all methods):
        FormatError: the index is damaged where the change has to be made.
        RefusedError: the volume is full.
    """

    def __init__(self, index: Index) -> None:
        self.index = index
        self.file = index.file

    def insert(self, entry: IndexEntry) -> None:
        """Inserts an entry. Raises RefusedError if the index has its key already."""
        key = self.index.collation.key(entry.key)
        path = self._path(key)
        if any(self._key_at(step) == key for step in path):
            raise RefusedError("the index has an entry with that key already")
        node, at = path[-1]
        node.entries.insert(at, entry)
        node.changed = True
        self._mend(path)

    def replace(self, entry: IndexEntry) -> None:
        """Replaces the entry with the same key, which must be as long."""
        node, at = self._find(self.index.collation.key(entry.key))[-1]
        old = node.entries[at]
        if len(old.body) != len(entry.body):
            raise in_volume("index entry", self.index.root.position, f"{len(entry.body)} bytes", len(old.body))
        node.entries[at] = entry.over(old.node)
        self._write(node)
        settle(self.file)

    def remove(self, key: Key) -> None:
        """Removes the entry with a key. In an inner node the next smaller entry takes its place."""
        path = self._find(key)
        node, at = path[-1]
        if node.is_leaf:
            del node.entries[at]
        else:
            lower = self._rightmost(node.entries[at].node)
            leaf = lower[-1].node
            if len(leaf.entries) < 2:
                raise in_volume("index node", self.index.root.position, "an entry in each leaf", "an empty leaf")
            node.entries[at] = leaf.entries.pop(-2).over(node.entries[at].node)
            leaf.changed = True
            path += lower
        node.changed = True
        self._mend(path)

    # -- the way down

    def _path(self, key: Key) -> list[PathStep]:
        """The path from the root to the leaf where a key belongs, or to the node that has it."""
        path = []
        node = self.index.root_node()
        while True:
            at = self.index.collation.position(node.entries, key)
            path.append(PathStep(node, at))
            below = node.entries[at].node
            if below is None:
                return path
            node = self._below(below, path)

    def _find(self, key: Key) -> list[PathStep]:
        """The path from the root to the node that has a key. Raises NotFoundError if none has it."""
        path = self._path(key)
        while path and self._key_at(path[-1]) != key:
            path.pop()
        if not path:
            raise NotFoundError("the index has no such entry")
        return path

    def _rightmost(self, vcn: BlockVcn | None) -> list[PathStep]:
        path: list[PathStep] = []
        while vcn is not None:
            node = self._below(vcn, path)
            path.append(PathStep(node, len(node.entries) - 1))
            vcn = node.entries[-1].node
        return path

    def _below(self, vcn: BlockVcn, path: list[PathStep]) -> IndexNode:
        if any(step.node.vcn == vcn for step in path):
            raise in_volume("index entry", self.index.root.position, "a node further down", f"VCN {vcn} again")
        return self.index.node(vcn)

    def _key_at(self, step: PathStep) -> Key | None:
        entry = step.node.entries[step.at]
        return None if entry.is_last else self.index.collation.key(entry.key)

    # -- the way up

    def _mend(self, path: list[PathStep]) -> None:
        """Writes the nodes of a path from the leaf up; splits and merges them so that each fits."""
        while path:
            node, _ = path.pop()
            if not node.changed:
                continue
            if not path:
                self._mend_root(node)
            elif node.size > self._capacity(node):
                self._split(node, path[-1])
            elif (node.size - node.entries[-1].size) * UNDERFULL < self._capacity(node):
                self._merge(node, path[-1])
            else:
                self._write(node)
        settle(self.file)

    def _mend_root(self, root: IndexNode) -> None:
        self._absorb(root)
        while root.size > self._capacity(root) and len(root.entries) > 1:
            block = self._new_block()
            block.entries = root.entries
            root.entries = [_LAST.over(block.vcn)]
            if block.size > self._capacity(block):
                self._split(block, PathStep(root, 0))
            else:
                self._write(block)
        self._write(root)

    def _absorb(self, root: IndexNode) -> None:
        """Moves an only child's entries into the root as long as they fit. A root that is a leaf needs no blocks."""
        below = root.entries[0].node
        while below is not None and len(root.entries) == 1:
            child = self.index.node(below)
            if child.size > self._capacity(root):
                return
            root.entries = child.entries
            self._free_block(child)
            below = root.entries[0].node
        if below is None and self.file.find(Kind.INDEX_ALLOCATION, self.index.name):
            self._drop_blocks()

    def _split(self, node: IndexNode, parent: PathStep) -> None:
        """Moves the lower half of a node to a new block; the entry between the halves moves to the parent."""
        left = self._new_block()
        middle = self._share(node.entries, left, node)
        parent.node.entries.insert(parent.at, middle.over(left.vcn))
        parent.node.changed = True

    def _merge(self, node: IndexNode, parent: PathStep) -> None:
        """Joins a small node with a neighbour. If both do not fit into one, a node without entries gets some."""
        entries = parent.node.entries
        if len(entries) == 1:
            self._replace_only_child(node, parent.node)
            return
        at = min(parent.at, len(entries) - 2)
        left, right = (
            node if entries[place].node == node.vcn else self._neighbour(entries[place].node, node)
            for place in (at, at + 1)
        )
        both = [*left.entries[:-1], entries[at].over(left.entries[-1].node), *right.entries]
        if sum(entry.size for entry in both) <= self._capacity(right):
            right.entries = both
            self._free_block(left)
            del entries[at]
            self._write(right)
        elif len(node.entries) == 1:
            entries[at] = self._share(both, left, right).over(left.vcn)
        else:
            self._write(node)
            return
        parent.node.changed = True

    def _replace_only_child(self, node: IndexNode, parent: IndexNode) -> None:
        """Replaces a parent by its only child. A root keeps the child's block: it may be too small for the entries."""
        if parent.vcn is None:
            self._write(node)
        else:
            parent.entries = node.entries
            self._free_block(node)
        parent.changed = True

    def _neighbour(self, vcn: BlockVcn | None, node: IndexNode) -> IndexNode:
        neighbour = None if vcn is None else self.index.node(vcn)
        if neighbour is None or neighbour.is_leaf != node.is_leaf:
            raise in_volume("index node", self.index.root.position, "leaves that lie equally deep", f"VCN {vcn}")
        return neighbour

    def _share(self, entries: list[IndexEntry], left: IndexNode, right: IndexNode) -> IndexEntry:
        """Divides entries evenly between two nodes and writes these; returns the entry between them, for the parent."""
        half = sum(entry.size for entry in entries) // 2
        middle, size = 1, entries[0].size + entries[1].size
        while size < half and middle < len(entries) - 3:
            middle += 1
            size += entries[middle].size
        left.entries = [*entries[:middle], _LAST.over(entries[middle].node)]
        right.entries = entries[middle + 1 :]
        for node in (left, right):
            if node.size > self._capacity(node) or len(node.entries) < 2:
                raise RefusedError(f"an index block of {self.index.block_size} bytes is too small for its entries")
            self._write(node)
        return entries[middle]

    # -- nodes on disk

    def _capacity(self, node: IndexNode) -> int:
        """The bytes of entries that fit into a node."""
        room = self.file.holder(self.index.root).room if node.vcn is None else 0
        return len(node.raw) - node.start + room

    def _write(self, node: IndexNode) -> None:
        header = ROOT_HEADER if node.vcn is None else BLOCK_HEADER
        first = node.start - header
        size = first + node.size
        entries = b"".join(entry.to_bytes() for entry in node.entries)
        node.raw[node.start : node.start + len(entries)] = entries
        if node.vcn is None:
            del node.raw[node.start + len(entries) :]
        NODE.pack_into(node.raw, header, first, size, len(node.raw) - header, 0 if node.is_leaf else HAS_NODES)
        if node.vcn is None:
            self.index.root.value = bytes(node.raw)
        else:
            self.index.blocks.write_at(node.vcn * self.index.unit, protect(node.raw))

    def _new_block(self) -> IndexNode:
        """A free block, or a new one at the end."""
        name, index = self.index.name, self.index
        if self.file.find(Kind.INDEX_ALLOCATION, name) is None:
            add_attribute(self.file, Attribute.stored(Kind.INDEX_ALLOCATION, name))
            add_attribute(self.file, Attribute.resident(Kind.BITMAP, name, bytes(BITMAP_STEP)))
        count = index.blocks.size // index.block_size
        bitmap = self.file.stream(Kind.BITMAP, name)
        bits = int.from_bytes(bitmap.read_all(), "little")
        number = (~bits & bits + 1).bit_length() - 1
        if number >= bitmap.size * 8:
            resize_zeroed(self.file, Kind.BITMAP, name, bitmap.size + BITMAP_STEP)
        if number >= count:
            resize(self.file, Kind.INDEX_ALLOCATION, name, (number + 1) * index.block_size)
            index.forget_blocks()
        self._flip_block(number)
        return _empty_block(BlockVcn(number * index.block_vcns), index.block_size)

    def _free_block(self, node: IndexNode) -> None:
        """Frees a block and empties it, because some readers read all blocks, also free ones."""
        assert node.vcn is not None
        node.entries = [_LAST]
        self._write(node)
        self._flip_block(node.vcn // self.index.block_vcns)

    def _flip_block(self, number: int) -> None:
        bitmap = self.file.stream(Kind.BITMAP, self.index.name)
        byte = bitmap.read_at(number // 8, 1)[0]
        bitmap.write_at(number // 8, bytes([byte ^ 1 << number % 8]))

    def _drop_blocks(self) -> None:
        for kind in (Kind.INDEX_ALLOCATION, Kind.BITMAP):
            extents = self.file.extents(kind, self.index.name)
            if extents and extents[0].non_resident:
                self.file.store.clusters.free(self.file.runs(extents).stored)
            remove_attribute(self.file, kind, self.index.name)
        self.index.forget_blocks()


def _empty_block(vcn: BlockVcn, size: int) -> IndexNode:
    raw = bytearray(size)
    start = align8(begin(raw, BLOCK_SIGNATURE, ARRAY_OFFSET))
    struct.pack_into("<Q", raw, 0x10, vcn)
    return IndexNode(vcn, [_LAST], raw, start)


def empty_root(like: Index) -> bytes:
    """The value of an index root without entries, for an index of the same kind as `like`."""
    node = NODE.pack(NODE_HEADER, NODE_HEADER + _LAST.size, NODE_HEADER + _LAST.size, 0)
    return like.root.value[:ROOT_HEADER] + node + _LAST.to_bytes()
