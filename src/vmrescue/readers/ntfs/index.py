"""The index of a directory: its nodes, their entries, and the lookup of a name.

dissect.ntfs opens the streams of an index and the file records; the nodes are parsed here, with `struct`. Its own walk
follows any child, may step through the blocks by 0 bytes, and makes two objects for each entry, which takes thirty
times as long.
Source: linux-ntfs documentation, "$INDEX_ROOT", "$INDEX_ALLOCATION", "Index Entry"; what Windows itself makes.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from typing import TYPE_CHECKING, Any, NamedTuple

from dissect.ntfs.c_ntfs import ATTRIBUTE_TYPE_CODE
from dissect.ntfs.util import apply_fixup

from vmrescue.errors import UsageError
from vmrescue.readers.file_system import ambiguous
from vmrescue.readers.ntfs.content import check_extents, content_of, odd
from vmrescue.readers.ntfs.layout import BLOCK_SIGNATURE, ENTRY, INDEX_ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dissect.ntfs.mft import MftRecord

FILE_NAMES = "$I30"  # the index of a directory
BLOCKS = (512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)  # bytes
MOST_BLOCKS = 1 << 18  # most blocks of an index: about four million names
MOST_LOOKED_INTO = 64  # most nodes read for one name; Windows' trees have four levels, and few names match in any case
NODES_KEPT = 16  # nodes of a directory's index kept in memory
SECTOR_BITS = 9
IS_NODE, IS_END = 1, 2  # flags of an entry
IN_USE = 1  # a file record's flag
DOS_NAME, WINDOWS_NAME = 2, 1  # name spaces: a short name; a long name that has a short one
NAME_LENGTH_AT, NAME_SPACE_AT, NAME_AT = 0x40, 0x41, 0x42  # offsets in $FILE_NAME
NUMBER_MASK = (1 << 48) - 1  # record number in a file reference; the sequence number is above it

_BLOCK = struct.Struct("<24xII")  # first entry and end of entries, both from byte 24
_VCN = struct.Struct("<Q")


class IndexEntry(NamedTuple):
    """An entry of a node.

    Attributes:
        reference: of the file: record number in the lower 48 bits, sequence number above.
        key: a $FILE_NAME.
        flags: `IS_NODE`, `IS_END`.
        vcn: VCN of the child node; None if there is none.
    """

    reference: int
    key: bytes
    flags: int
    vcn: int

    @property
    def is_end(self) -> bool:
        return bool(self.flags & IS_END)


class DirectoryIndex:
    """The names in a directory, for lookups.

    The nodes that were read last are kept, because a walk through a folder looks up neighbouring names.

    Raises:
        FormatError: the index is damaged; also raised by the methods.
    """

    def __init__(self, directory: MftRecord) -> None:
        check_extents(directory, FILE_NAMES, ATTRIBUTE_TYPE_CODE.INDEX_ALLOCATION)
        self._record = directory
        self._root: bytes = directory.open(FILE_NAMES, ATTRIBUTE_TYPE_CODE.INDEX_ROOT).read()
        stored = directory.attributes.find(FILE_NAMES, ATTRIBUTE_TYPE_CODE.INDEX_ALLOCATION)
        self._blocks: Any = directory.open(FILE_NAMES, ATTRIBUTE_TYPE_CODE.INDEX_ALLOCATION) if stored else None
        self._block_size: int = INDEX_ROOT.unpack_from(self._root)[0]
        in_clusters = directory.ntfs.cluster_size <= self._block_size
        self._vcn_bits: int = directory.ntfs.cluster_size_shift if in_clusters else SECTOR_BITS
        self._kept: dict[int | None, list[IndexEntry]] = {}  # VCN -> node's entries; the last node used is at the end

    # -- a name

    def find(self, name: str) -> IndexEntry | None:
        """The entry spelled exactly `name`, else the one that matches in any case; None if there is none.

        A directory can have names that differ only in case: POSIX programs make such names, and Windows does in folders
        that are set to be case-sensitive.

        Raises:
            UsageError: none is spelled so, and several of different files match.
        """
        found = list(self._fitting(None, self._record.ntfs.sort_key(name), []))
        for entry in found:
            if self.name_of(entry) == name:
                return entry
        if len({entry.reference for entry in found}) > 1:
            raise UsageError(ambiguous(name, map(self.name_of, found)))
        return found[0] if found else None

    def _fitting(self, vcn: int | None, wanted: list[int], way: list[int]) -> Iterator[IndexEntry]:
        """The entries in a node (None: the root) and below it whose names equal the wanted one except in case.

        The VCNs of the nodes that were read are added to `way`; reading one twice is an error.
        """
        node, upper = self._node(vcn), self._record.ntfs.sort_key

        def sort_key(entry: IndexEntry) -> list[int]:
            return list(upper(self.name_of(entry)))

        for entry in node[bisect_left(node, wanted, hi=len(node) - node[-1].is_end, key=sort_key) :]:
            if entry.flags & IS_NODE:
                yield from self._fitting(self._below(entry.vcn, way), wanted, way)
            if entry.is_end or sort_key(entry) != wanted:
                return
            yield entry

    def _below(self, vcn: int, way: list[int]) -> int:
        if not self._size_of_blocks():
            raise odd(self._record, "blocks for the nodes of its index", "none")
        if vcn in way or len(way) >= MOST_LOOKED_INTO:
            expected = f"at most {MOST_LOOKED_INTO} nodes of its index for a name, each once"
            raise odd(self._record, expected, f"VCN {vcn} again" if vcn in way else "more")
        way.append(vcn)
        return vcn

    # -- all names

    def names(self) -> Iterator[IndexEntry]:
        """The entries of all names, without short forms."""
        return (entry for entry in self._entries() if entry.key[NAME_SPACE_AT] != DOS_NAME)

    def _entries(self) -> Iterator[IndexEntry]:
        """Every entry with a key: those of the root, then of all blocks in use, in their order in the file.

        Blocks that are not in use are skipped: they have old names, of files that were deleted or moved.
        """
        size = self._size_of_blocks()
        yield from (entry for entry in self._root_entries() if not entry.is_end)
        if not size:
            return
        step = max(size >> self._vcn_bits, 1)
        in_use = content_of(self._record, FILE_NAMES, ATTRIBUTE_TYPE_CODE.BITMAP).read(MOST_BLOCKS // 8)
        for number in range(min(self._blocks.size // size, 8 * len(in_use))):
            if in_use[number // 8] >> number % 8 & 1 and (block := self._block(number * step)) is not None:
                yield from (entry for entry in self._block_entries(block) if not entry.is_end)

    # -- nodes

    def _node(self, vcn: int | None) -> list[IndexEntry]:
        """A node's entries. Raises FormatError if the node is not valid."""
        node = self._kept.pop(vcn, None)
        if node is None:
            if vcn is None:
                node = list(self._root_entries())
            else:
                block = self._block(vcn)
                if block is None:
                    raise odd(self._record, "an index block", f"none at VCN {vcn}")
                node = list(self._block_entries(block))
            if not node:
                raise odd(self._record, "an entry in each node of its index", "none")
            if len(self._kept) >= NODES_KEPT:
                del self._kept[next(iter(self._kept))]
        self._kept[vcn] = node
        return node

    def _size_of_blocks(self) -> int:
        """Bytes of an index block; 0 if the index has no blocks."""
        if not self._blocks:
            return 0
        size = self._block_size
        if size not in BLOCKS:
            raise odd(self._record, f"index blocks of {BLOCKS[0]} to {BLOCKS[-1]} bytes", size)
        if self._blocks.size > size * MOST_BLOCKS:
            raise odd(self._record, f"an index of at most {MOST_BLOCKS} blocks", f"{self._blocks.size} bytes")
        return size

    def _block(self, vcn: int) -> bytes | None:
        """An index block with fix-ups undone; None if there is no valid block."""
        self._blocks.seek(vcn << self._vcn_bits)
        data = self._blocks.read(self._block_size)
        if len(data) != self._block_size or data[:4] != BLOCK_SIGNATURE:
            return None
        return bytes(apply_fixup(data))

    def _root_entries(self) -> Iterator[IndexEntry]:
        return self._sound(self._root, INDEX_ROOT.size, INDEX_ROOT.size + INDEX_ROOT.unpack_from(self._root)[2])

    def _block_entries(self, block: bytes) -> Iterator[IndexEntry]:
        first, size = _BLOCK.unpack_from(block)
        return self._sound(block, 0x18 + first, 0x18 + first + size)

    def _sound(self, node: bytes, at: int, end: int) -> Iterator[IndexEntry]:
        """A node's entries up to its last one. Raises FormatError if an entry's length is not possible."""
        while at < end and at + ENTRY.size <= len(node):
            reference, length, key_length, flags = ENTRY.unpack_from(node, at)
            if length < ENTRY.size:
                raise odd(self._record, f"index entries of at least {ENTRY.size} bytes", length)
            body = node[at + ENTRY.size : at + length]
            vcn = 0
            if flags & IS_NODE:
                if len(body) < _VCN.size:
                    raise odd(self._record, "a VCN in an entry with a node below it", f"{len(body)} bytes")
                (vcn,) = _VCN.unpack(body[-_VCN.size :])
            yield IndexEntry(reference, body[:key_length], flags, vcn)
            if flags & IS_END:
                return
            at += length

    # -- an entry

    def name_of(self, entry: IndexEntry) -> str:
        """The name in an entry; it may have lone surrogates."""
        key = entry.key
        if len(key) < NAME_AT or len(key) < NAME_AT + 2 * key[NAME_LENGTH_AT]:
            raise odd(self._record, "index entries with a name", f"{len(key)} bytes")
        return _name_in(key)

    def target_of(self, entry: IndexEntry) -> MftRecord:
        """The record that an entry leads to. Raises FormatError if it belongs to another file by now."""
        record, wanted = self.record_of(entry), entry.reference >> 48
        if not record.header.Flags & IN_USE or record.header.SequenceNumber != wanted:
            raise odd(record, f"the file with sequence number {wanted}", record.header.SequenceNumber)
        return record

    def record_of(self, entry: IndexEntry) -> MftRecord:
        """The record that an entry leads to, even if it belongs to another file by now."""
        return self._record.ntfs.mft.get(number_of(entry))

    def long_name(self, entry: IndexEntry) -> str:
        """The name in an entry; if it is a short form, the long name of the same file."""
        if entry.key[NAME_SPACE_AT] == DOS_NAME:
            for found in self.record_of(entry).attributes[ATTRIBUTE_TYPE_CODE.FILE_NAME]:
                key = found.header.open().read()
                if key[NAME_SPACE_AT] == WINDOWS_NAME and key[:8] == entry.key[:8]:  # in the same directory
                    return _name_in(key)
        return self.name_of(entry)


def number_of(entry: IndexEntry) -> int:
    """The number of the record that an entry leads to."""
    return entry.reference & NUMBER_MASK


def _name_in(key: bytes) -> str:
    return str(key[NAME_AT : NAME_AT + 2 * key[NAME_LENGTH_AT]].decode("utf-16-le", "surrogatepass"))
