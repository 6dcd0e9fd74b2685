"""The index of a directory: its nodes, their entries, and a name found in them.

dissect.ntfs opens the streams of an index and its file records; the nodes are taken apart here, with `struct`. Its own
walk follows a child wherever it leads, goes through the blocks by steps that may be 0, and makes two objects of an
entry, which costs thirty times as much.
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

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dissect.ntfs.mft import MftRecord

FILE_NAMES = "$I30"  # the index of a directory
BLOCKS = (512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)  # bytes
MOST_BLOCKS = 1 << 18  # of an index: some four million names
MOST_LOOKED_INTO = 64  # nodes for one name: Windows' trees have four levels, and few names fit in any case
NODES_KEPT = 16  # of a directory's index, in memory
BLOCK_SIGNATURE, SECTOR_BITS = b"INDX", 9
IS_NODE, IS_END = 1, 2  # flags of an entry
IN_USE = 1  # a file record's flag
DOS_NAME, WINDOWS_NAME = 2, 1  # a name's space: only the short form of another one; only a long one
NAME_LENGTH_AT, NAME_SPACE_AT, NAME_AT = 0x40, 0x41, 0x42  # of $FILE_NAME
NUMBER_MASK = (1 << 48) - 1  # of a file reference; above it is the sequence number

_ROOT = struct.Struct("<8xI4xII8x")  # bytes of a block; where the entries begin behind this point, their bytes
_BLOCK = struct.Struct("<24xII")  # where the entries begin behind the 24 bytes, their bytes
_ENTRY = struct.Struct("<QHHI")  # file reference, length, key's length, flags
_VCN = struct.Struct("<Q")


class IndexEntry(NamedTuple):
    """An entry of a node.

    Attributes:
        reference: of the file: its record's number, and above 48 bits the sequence number.
        key: a $FILE_NAME.
        flags: `IS_NODE`, `IS_END`.
        vcn: of the node below, where there is one.
    """

    reference: int
    key: bytes
    flags: int
    vcn: int

    @property
    def is_end(self) -> bool:
        return bool(self.flags & IS_END)


class DirectoryIndex:
    """The names in a directory, looked up one after the other.

    Who goes through a folder asks for neighbours: the nodes that were looked into last are kept.

    Raises:
        FormatError: the index is none that Windows would make, here and in all that follows.
    """

    def __init__(self, directory: MftRecord) -> None:
        check_extents(directory, FILE_NAMES, ATTRIBUTE_TYPE_CODE.INDEX_ALLOCATION)
        self._record = directory
        self._root: bytes = directory.open(FILE_NAMES, ATTRIBUTE_TYPE_CODE.INDEX_ROOT).read()
        stored = directory.attributes.find(FILE_NAMES, ATTRIBUTE_TYPE_CODE.INDEX_ALLOCATION)
        self._blocks: Any = directory.open(FILE_NAMES, ATTRIBUTE_TYPE_CODE.INDEX_ALLOCATION) if stored else None
        self._block_size: int = _ROOT.unpack_from(self._root)[0]
        in_clusters = directory.ntfs.cluster_size <= self._block_size
        self._vcn_bits: int = directory.ntfs.cluster_size_shift if in_clusters else SECTOR_BITS
        self._kept: dict[int | None, list[IndexEntry]] = {}  # nodes, the last one that was asked for at the end

    # -- a name

    def find(self, name: str) -> IndexEntry | None:
        """The entry of a name; None where the directory has none.

        The exact spelling wins. Without it any case of letters fits: names that differ only in case stand beside each
        other where a POSIX program made them, and in folders that Windows was told to take case for real.

        Raises:
            UsageError: several fit, of different files.
        """
        found = list(self._fitting(None, self._record.ntfs.sort_key(name), []))
        for entry in found:
            if self.name_of(entry) == name:
                return entry
        if len({entry.reference for entry in found}) > 1:
            raise UsageError(ambiguous(name, map(self.name_of, found)))
        return found[0] if found else None

    def _fitting(self, vcn: int | None, wanted: list[int], way: list[int]) -> Iterator[IndexEntry]:
        """The entries in a node (None: the root) and below it whose names differ from one in case at most.

        `way` gathers the nodes that were looked into, each of which is there once.
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
        """The entries of all names that are more than the short form of another."""
        return (entry for entry in self._entries() if entry.key[NAME_SPACE_AT] != DOS_NAME)

    def _entries(self) -> Iterator[IndexEntry]:
        """Every entry with a key: of the root, then of all blocks in use, in their order in the file.

        A block that is not in use still holds the names that were in it last, of files that are gone or elsewhere.
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
        """A node's entries. Raises FormatError where it has none."""
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
        """Bytes of an index block; 0 where the index has none."""
        if not self._blocks:
            return 0
        size = self._block_size
        if size not in BLOCKS:
            raise odd(self._record, f"index blocks of {BLOCKS[0]} to {BLOCKS[-1]} bytes", size)
        if self._blocks.size > size * MOST_BLOCKS:
            raise odd(self._record, f"an index of at most {MOST_BLOCKS} blocks", f"{self._blocks.size} bytes")
        return size

    def _block(self, vcn: int) -> bytes | None:
        """An index block with its sectors' last bytes in place; None where there is none."""
        self._blocks.seek(vcn << self._vcn_bits)
        data = self._blocks.read(self._block_size)
        if len(data) != self._block_size or data[:4] != BLOCK_SIGNATURE:
            return None
        return bytes(apply_fixup(data))

    def _root_entries(self) -> Iterator[IndexEntry]:
        return self._sound(self._root, _ROOT.size, _ROOT.size + _ROOT.unpack_from(self._root)[2])

    def _block_entries(self, block: bytes) -> Iterator[IndexEntry]:
        first, size = _BLOCK.unpack_from(block)
        return self._sound(block, 0x18 + first, 0x18 + first + size)

    def _sound(self, node: bytes, at: int, end: int) -> Iterator[IndexEntry]:
        """A node's entries up to its last, of which each takes room."""
        while at < end and at + _ENTRY.size <= len(node):
            reference, length, key_length, flags = _ENTRY.unpack_from(node, at)
            if length < _ENTRY.size:
                raise odd(self._record, f"index entries of at least {_ENTRY.size} bytes", length)
            body = node[at + _ENTRY.size : at + length]
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
        """The name in an entry. It may hold half a pair of surrogates."""
        key = entry.key
        if len(key) < NAME_AT or len(key) < NAME_AT + 2 * key[NAME_LENGTH_AT]:
            raise odd(self._record, "index entries with a name", f"{len(key)} bytes")
        return _name_in(key)

    def target_of(self, entry: IndexEntry) -> MftRecord:
        """The record that an entry leads to. Raises FormatError where that is another file's by now."""
        record, wanted = self.record_of(entry), entry.reference >> 48
        if not record.header.Flags & IN_USE or record.header.SequenceNumber != wanted:
            raise odd(record, f"the file with sequence number {wanted}", record.header.SequenceNumber)
        return record

    def record_of(self, entry: IndexEntry) -> MftRecord:
        """The record that an entry leads to, whosever it is by now."""
        return self._record.ntfs.mft.get(entry.reference & NUMBER_MASK)

    def long_name(self, entry: IndexEntry) -> str:
        """The name in an entry, or the long one that it is the short form of."""
        if entry.key[NAME_SPACE_AT] == DOS_NAME:
            for found in self.record_of(entry).attributes[ATTRIBUTE_TYPE_CODE.FILE_NAME]:
                key = found.header.open().read()
                if key[NAME_SPACE_AT] == WINDOWS_NAME and key[:8] == entry.key[:8]:  # in the same directory
                    return _name_in(key)
        return self.name_of(entry)


def _name_in(key: bytes) -> str:
    return str(key[NAME_AT : NAME_AT + 2 * key[NAME_LENGTH_AT]].decode("utf-16-le", "surrogatepass"))
