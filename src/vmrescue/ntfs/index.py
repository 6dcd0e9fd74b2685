"""Indexes: sorted B-trees, of names in a directory and of other keys in the system's files.

The root node is in $INDEX_ROOT; all others are blocks of $INDEX_ALLOCATION, and $BITMAP says which blocks are in use. A
node is a list of entries that ends with an entry without a key. An entry may have a child node, whose keys sort before
its own key.
Source: linux-ntfs documentation, "Index Header", "$INDEX_ROOT", "$INDEX_ALLOCATION".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from vmrescue.errors import bytes_text, in_volume
from vmrescue.ntfs.collation import Collation
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.ntfs.structures.fixup import unprotect
from vmrescue.ntfs.structures.positions import BlockVcn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.ntfs.collation import Key
    from vmrescue.ntfs.data import Stream
    from vmrescue.ntfs.store import File

FILE_NAMES = "$I30"  # the index of a directory
BLOCK_SIGNATURE = b"INDX"
HAS_NODE, IS_LAST = 1, 2  # an entry's flags
HAS_NODES = 1  # a node's flag
ROOT_HEADER = 0x10
BLOCK_HEADER = 0x18
NODE_HEADER = 0x10
ENTRY_HEADER = 0x10
ROOT = struct.Struct("<IIIB3x")  # type of the indexed attribute, collation rule, block size, VCNs in a block
NODE = struct.Struct("<IIIB3x")  # first entry, end of entries, end of the node, flags; counted from this header
ENTRY = struct.Struct("<8sHHHH")  # reference (or place of the data), length, key's length, flags, unused


class IndexEntry(NamedTuple):
    """One entry of a node. `node` is the VCN of its child node's block; None if it has no child."""

    body: bytes
    node: BlockVcn | None = None

    @property
    def is_last(self) -> bool:
        return bool(self.body[12] & IS_LAST)

    @property
    def key(self) -> bytes:
        return self.body[ENTRY_HEADER : ENTRY_HEADER + int.from_bytes(self.body[10:12], "little")]

    @property
    def reference(self) -> int:
        """The reference of the file that a name leads to."""
        return int.from_bytes(self.body[:8], "little")

    @property
    def data(self) -> bytes:
        """The data stored with the key, in an index that is no directory."""
        start = int.from_bytes(self.body[:2], "little")
        return self.body[start : start + int.from_bytes(self.body[2:4], "little")]

    @property
    def size(self) -> int:
        """Bytes of the entry as stored."""
        return len(self.body) + (8 if self.node is not None else 0)

    def over(self, node: BlockVcn | None) -> IndexEntry:
        """This entry with another child node, or none."""
        return self._replace(node=node)

    def to_bytes(self) -> bytes:
        flags = self.body[12] & ~HAS_NODE | (self.node is not None)
        below = b"" if self.node is None else self.node.to_bytes(8, "little")
        return b"".join(
            (self.body[:8], self.size.to_bytes(2, "little"), self.body[10:12], bytes([flags]), self.body[13:], below)
        )


class IndexNode:
    """The entries of one node, and the bytes that they were read from: the root's value, or its block.

    `vcn` is the block's, None for the root; `start` is where its entries begin.
    """

    def __init__(self, vcn: BlockVcn | None, entries: list[IndexEntry], raw: bytearray, start: int) -> None:
        self.vcn = vcn
        self.entries = entries
        self.raw = raw
        self.start = start
        self.changed = False

    @property
    def is_leaf(self) -> bool:
        return self.entries[-1].node is None

    @property
    def size(self) -> int:
        """Bytes of its entries as stored."""
        return sum(entry.size for entry in self.entries)


class Index:
    """An index of a file, for reading. A walk reads every block at most once, also in a damaged index.

    Raises:
        FormatError: the file has no such index, or its root is damaged.
    """

    def __init__(self, file: File, name: str = FILE_NAMES) -> None:
        self.file = file
        self.name = name
        self.root = file.get(Kind.INDEX_ROOT, name)
        value = self.root.value
        if self.root.non_resident or len(value) < ROOT_HEADER + NODE_HEADER:
            raise in_volume("index root", self.root.position, "a resident value with two headers", len(value))
        self.block_size: int
        self.block_vcns: int
        _, rule, self.block_size, self.block_vcns = ROOT.unpack_from(value)
        self.collation = Collation(rule, file.store)
        if self.block_size & (self.block_size - 1) or not 512 <= self.block_size <= 65536 or not self.block_vcns:
            raise in_volume("index root", self.root.position, "blocks of 512 to 65536 bytes", self.block_size)
        self._blocks: Stream | None = None

    @property
    def unit(self) -> int:
        """Bytes in the unit of this index's VCNs: a cluster, or 512 if clusters are larger than blocks."""
        return self.block_size // self.block_vcns

    @property
    def blocks(self) -> Stream:
        if self._blocks is None:
            self._blocks = self.file.stream(Kind.INDEX_ALLOCATION, self.name)
        return self._blocks

    def forget_blocks(self) -> None:
        """Must be called when the attribute with the blocks has changed."""
        self._blocks = None

    def root_node(self) -> IndexNode:
        value = bytearray(self.root.value)
        return read_node(None, value, ROOT_HEADER, self.root.position + self.root.value_offset)

    def node(self, vcn: BlockVcn) -> IndexNode:
        """The node in the block that begins at a VCN."""
        offset = vcn * self.unit
        if offset + self.block_size > self.blocks.size:
            raise in_volume("index entry", self.root.position, f"a block within {self.blocks.size} bytes", f"VCN {vcn}")
        position = self.blocks.clusters.position(offset)
        data = self.blocks.read_at(offset, self.block_size)
        if data[:4] != BLOCK_SIGNATURE:
            raise in_volume("index block", position, f"the signature {bytes_text(BLOCK_SIGNATURE)}", data[:4])
        block = unprotect(data, "index block", position)
        if int.from_bytes(block[0x10:0x18], "little") != vcn:
            raise in_volume("index block", position + 0x10, f"VCN {vcn}", int.from_bytes(block[0x10:0x18], "little"))
        return read_node(vcn, block, BLOCK_HEADER, position)

    def find(self, key: Key) -> IndexEntry | None:
        """The entry with that key; None if there is none."""
        entry = next(self.entries(key), None)
        return entry if entry and self.collation.key(entry.key) == key else None

    def entries(self, start: Key | None = None, seen: set[BlockVcn] | None = None) -> Iterator[IndexEntry]:
        """All entries with a key, ascending; with `start`, from the first that does not sort before it.

        The VCNs of the blocks that were read are added to `seen`.
        """
        seen = set() if seen is None else seen
        stack: list[tuple[IndexNode, int]] = []
        self._descend(self.root_node(), start, stack, seen)
        while stack:
            node, at = stack.pop()
            entry = node.entries[at]
            if not entry.is_last:
                yield entry
                stack.append((node, at + 1))
                below = node.entries[at + 1].node
                if below is not None:
                    self._descend(self._unseen(below, seen), None, stack, seen)

    def _descend(
        self, node: IndexNode, start: Key | None, stack: list[tuple[IndexNode, int]], seen: set[BlockVcn]
    ) -> None:
        while True:
            at = 0 if start is None else self.collation.position(node.entries, start)
            stack.append((node, at))
            below = node.entries[at].node
            if below is None:
                return
            node = self._unseen(below, seen)

    def _unseen(self, vcn: BlockVcn, seen: set[BlockVcn]) -> IndexNode:
        if vcn in seen:
            raise in_volume(
                "index entry", self.root.position, "a node that is below one entry only", f"VCN {vcn} twice"
            )
        seen.add(vcn)
        return self.node(vcn)


def read_node(vcn: BlockVcn | None, data: bytearray, header: int, position: int) -> IndexNode:
    """The node whose header is at offset `header` of `data`, which is at `position` of the volume (for errors)."""
    first, end, _, _ = NODE.unpack_from(data, header)
    start = at = header + first
    end += header
    if first < NODE_HEADER or end > len(data):
        raise in_volume("index node", position + header, f"entries within {len(data)} bytes", f"{at} to {end}")
    entries: list[IndexEntry] = []
    while at + ENTRY_HEADER <= end:
        _, length, key_length, flags, _ = ENTRY.unpack_from(data, at)
        below = 8 if flags & HAS_NODE else 0
        if length % 8 or at + length > end or ENTRY_HEADER + key_length + below > length:
            raise in_volume("index entry", position + at, f"an entry within {end - at} bytes", length)
        node = BlockVcn(int.from_bytes(data[at + length - 8 : at + length], "little")) if below else None
        entries.append(IndexEntry(bytes(data[at : at + length - below]), node))
        if flags & IS_LAST:
            _check_nodes(entries, position + header)
            return IndexNode(vcn, entries, data, start)
        at += length
    raise in_volume("index node", position + at, "a last entry", "none")


def _check_nodes(entries: list[IndexEntry], position: int) -> None:
    """Raises FormatError unless all entries of a node have child nodes, or none has."""
    if len({entry.node is None for entry in entries}) > 1:
        raise in_volume("index node", position, "a node below each entry, or below none", "some of each")
