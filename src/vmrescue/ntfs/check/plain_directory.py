"""Checks the index of a directory directly from its bytes, to be fast: its tree, its order, and its entries.

It handles sound directories, as nearly all are. If anything is odd there is no result, and the index has to be checked
through `index.Index`, which tells what is wrong. Sources: those of `vmrescue.ntfs.index`.
"""

from __future__ import annotations

import struct
from array import array
from codecs import utf_16_le_decode
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from vmrescue.errors import VmRescueError
from vmrescue.ntfs.check.names import NO_SIZES, PAGE, PAGE_BITS, Page
from vmrescue.ntfs.cluster_stream import ClusterStream
from vmrescue.ntfs.collation import FILE_NAME
from vmrescue.ntfs.index import (
    BLOCK_HEADER,
    BLOCK_SIGNATURE,
    ENTRY_HEADER,
    FILE_NAMES,
    HAS_NODE,
    IS_LAST,
    NODE,
    NODE_HEADER,
    ROOT,
    ROOT_HEADER,
)
from vmrescue.ntfs.plain_record import NAME_LENGTH_AT
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.ntfs.structures.file_name import HEADER
from vmrescue.ntfs.structures.fixup import head_of, unprotect_all
from vmrescue.ntfs.structures.positions import BlockVcn, Lcn
from vmrescue.ntfs.structures.record import NUMBER_MASK
from vmrescue.ntfs.structures.run_list import RunList

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vmrescue.ntfs.check.names import Names
    from vmrescue.ntfs.plain_record import NonResident, PlainRecord
    from vmrescue.ntfs.store import FileStore

AT_ONCE = 1 << 18  # bytes of an index that are read at once
MOST_MARKS = 1 << 20  # bytes of an index's bitmap
MOST_OTHERS = 10_000  # entries that are kept to be compared one by one
ARRAY_AT = 0x28  # of an index block: its update sequence array
VCN_AT = 0x10  # of an index block
# an entry of a directory: reference, length, key's length, flags; reference of the directory, length of the name
_ENTRY = struct.Struct("<QHHH2xQ56xB")
_NAME = ENTRY_HEADER + HEADER  # where an entry's name begins
SIZES_AT, TAIL_AT = ENTRY_HEADER + 0x28, ENTRY_HEADER + NAME_LENGTH_AT  # of an entry; the tail is as in a $FILE_NAME
_NO_PAGE = Page(array("H"), array("H"), array("i"))
_PADDING = bytes(_ENTRY.size)  # behind what is read, so that the last entry can be read like all others


class SoundNode(NamedTuple):
    """A node that is sound in itself: the sort keys of its entries, and the VCNs below them if it is no leaf.

    Of a leaf only the first and the last key are told.
    """

    keys: list[str]
    below: list[BlockVcn]


class Parts(NamedTuple):
    """What an index of names is made of.

    Attributes:
        reference: the directory's.
        root: the value of its index root.
        marks: of its bitmap, as far as that is initialized.
        blocks: the clusters of its blocks; None if it has none.
        size: bytes of the blocks that are initialized.
    """

    reference: int
    root: bytes
    marks: bytes
    blocks: ClusterStream | None = None
    size: int = 0


class Result(NamedTuple):
    """What was found in a sound directory.

    Attributes:
        numbers: of the records that its entries lead to, of those that are as the record says.
        others: the entries to compare one by one: (entry without the VCN below it, that VCN or None).
    """

    numbers: list[int]
    others: list[tuple[bytes, BlockVcn | None]]


class PlainDirectories:
    """The check of any number of directories of one volume."""

    def __init__(self, store: FileStore, names: Names) -> None:
        self._store = store
        self._names = names

    @cached_property
    def _ascii_is_usual(self) -> bool:
        """Whether the volume's table of upper-case letters has the usual ones for ASCII."""
        upper = self._store.upcase
        return all(upper[unit] == ord(chr(unit).upper()) for unit in range(128))

    def of_record(self, record: PlainRecord, records: bytes) -> Parts | None:
        """The parts of a directory whose record was read from `records`; None where there is anything else."""
        values = {kind: records[at : at + size] for kind, name, at, size in record.indexed if name == FILE_NAMES}
        if len(record.indexed) != len(values):
            return None
        stored = {each.kind: each for each in record.stored if each.name == FILE_NAMES}
        marks = values.get(Kind.BITMAP, b"")
        if bitmap := stored.get(Kind.BITMAP):
            marks = self._clusters(bitmap).read_at(0, min(bitmap.initialized, bitmap.size, MOST_MARKS + 1))
        root, blocks = values.get(Kind.INDEX_ROOT, b""), stored.get(Kind.INDEX_ALLOCATION)
        if blocks is None:
            return Parts(record.reference, root, marks)
        return Parts(record.reference, root, marks, self._clusters(blocks), min(blocks.initialized, blocks.size))

    def of_file(self, number: int) -> Parts | None:
        """As `of_record`, of a directory whose record is not plain: with an attribute list, an object ID."""
        file = self._store.file(number)
        roots, bitmaps = file.attributes(Kind.INDEX_ROOT), file.attributes(Kind.BITMAP)
        blocks = file.extents(Kind.INDEX_ALLOCATION, FILE_NAMES)
        if {each.name for each in (*roots, *bitmaps)} != {FILE_NAMES} or any(each.flags for each in blocks):
            return None
        if len(roots) != 1 or roots[0].non_resident:
            return None
        marks = b""
        if bitmaps:
            bitmap = file.stream(Kind.BITMAP, FILE_NAMES)
            marks = bitmap.read_at(0, min(bitmap.initialized, MOST_MARKS + 1))
        if not blocks:
            return Parts(file.reference, roots[0].value, marks)
        stream = file.value(blocks)
        return Parts(file.reference, roots[0].value, marks, stream.clusters, min(stream.initialized, stream.size))

    def check(self, parts: Callable[[], Parts | None]) -> Result | None:
        """Checks a directory whose parts it asks for.

        What it finds is counted in `names`, unless the result is None: then nothing is.
        """
        result = Result([], [])
        try:
            found = parts()
            if found and self._ascii_is_usual and self._is_sound(found, result):
                return result
        except VmRescueError:  # what cannot be read is told by who reads it again
            pass
        self._take_back(result.numbers)
        return None

    def _take_back(self, numbers: list[int]) -> None:
        for number in numbers:
            self._names.pages[number >> PAGE_BITS].entered[number % PAGE] -= 1

    def _is_sound(self, parts: Parts, result: Result) -> bool:
        root = parts.root
        if len(root) < ROOT_HEADER + NODE_HEADER or len(parts.marks) > MOST_MARKS:
            return False
        _, rule, block_size, block_vcns = ROOT.unpack_from(root)
        if rule != FILE_NAME or block_size & (block_size - 1) or not 512 <= block_size <= 65536:
            return False
        if not block_vcns or block_size % block_vcns:
            return False
        own = parts.reference.to_bytes(8, "little")
        top = self._read_node(root + _PADDING, ROOT_HEADER, len(root), own, result)
        if top is None:
            return False
        marks = parts.marks
        marked = [number for number in range(8 * len(marks)) if marks[number >> 3] >> (number & 7) & 1]
        if parts.blocks is None:
            return not top.below and not marked
        nodes: dict[BlockVcn, SoundNode] = {}
        count = parts.size // block_size
        for vcn, node in self._blocks(parts.blocks, count, block_size, block_vcns, marked, own, result):
            if node is None or len(result.others) > MOST_OTHERS:
                return False
            nodes[vcn] = node
        return len(nodes) == len(marked) and _is_tree(top, nodes)

    def _clusters(self, stored: NonResident) -> ClusterStream:
        runs = RunList()
        for lcn, length in stored.pieces:
            runs.append(Lcn(lcn), length)
        return ClusterStream(self._store.pending, runs, self._store.boot.cluster_size)

    def _blocks(
        self, stream: ClusterStream, count: int, size: int, vcns: int, marked: list[int], own: bytes, result: Result
    ) -> Iterator[tuple[BlockVcn, SoundNode | None]]:
        """The nodes in the marked ones of `count` blocks, with their VCNs, in the order of the index's clusters."""
        head = head_of(BLOCK_SIGNATURE, ARRAY_AT, size)
        for first, numbers in groupby(marked, key=lambda number: number - number % (AT_ONCE // size)):
            here = min(count - first, AT_ONCE // size)
            if here <= 0:
                return
            blocks, torn = unprotect_all(stream.read_at(first * size, here * size), size, ARRAY_AT)
            blocks += _PADDING
            for number in numbers:
                at, vcn = (number - first) * size, BlockVcn(number * vcns)
                is_right = number - first not in torn and blocks[at : at + 8] == head
                if is_right and int.from_bytes(blocks[at + VCN_AT : at + VCN_AT + 8], "little") == vcn:
                    yield vcn, self._read_node(blocks, at + BLOCK_HEADER, at + size, own, result)
                else:
                    yield vcn, None

    def _read_node(self, data: bytes, header: int, limit: int, own: bytes, result: Result) -> SoundNode | None:
        """The node whose header is at `header`, and that ends before `limit`, if it is sound in itself.

        Its entries are compared with the records that they lead to.

        Args:
            own: the directory's reference.
        """
        first, end, _, _ = NODE.unpack_from(data, header)
        at, end = header + first, header + end
        if first < NODE_HEADER or end > limit:
            return None
        decode = utf_16_le_decode  # what `bytes.decode` would come to, but for a call in Python
        unpack, upper, pages, hashes = _ENTRY.unpack_from, self._store.upcase, self._names.pages, self._names.hashes
        numbers = result.numbers
        keys: list[str] = []
        below: list[BlockVcn] = []
        key = ""
        parent = int.from_bytes(own, "little")
        block, (named, entered, hashed) = -1, _NO_PAGE  # of the last entry's record
        while at + ENTRY_HEADER <= end:
            reference, length, key_size, flags, directory, name_size = unpack(data, at)
            start, at = at, at + length
            if length % 8 or at > end:
                return None
            if flags & HAS_NODE:
                below.append(BlockVcn(int.from_bytes(data[at - 8 : at], "little")))
                length -= 8
            if ENTRY_HEADER + key_size > length:
                return None
            if flags & IS_LAST:
                return _node(keys, key, below)
            if key_size < HEADER + 2 * name_size or not name_size:
                return None
            name = decode(data[start + _NAME : start + _NAME + 2 * name_size], "surrogatepass", True)[0]
            before = key
            if name.isascii():
                key = name.upper()
            else:
                key = name.translate(upper)
                if not key.isascii() and max(key) > "\uffff":
                    return None  # sorted by units of two that are one character
            if key <= before:
                return None  # or equal but for case
            if below or not keys:
                keys.append(key)
            number = reference & NUMBER_MASK
            if number >> PAGE_BITS != block:
                block = number >> PAGE_BITS
                named, entered, hashed = pages.get(block, _NO_PAGE)
            place = number % PAGE
            index = hashed[place] if hashed else 0
            if index and directory == parent:
                sizes = data[start + SIZES_AT : start + SIZES_AT + 16] if index > 0 else NO_SIZES
                said = hash(
                    data[start : start + 8] + sizes + own + data[start + TAIL_AT : start + _NAME + 2 * name_size]
                )
                index = abs(index)
                if hashes[index] == said or (named[place] > 1 and said in hashes[index : index + named[place]]):
                    entered[place] += 1
                    numbers.append(number)
                    continue
            child = below[-1] if flags & HAS_NODE else None
            result.others.append((data[start : start + length], child))
        return None


def _node(keys: list[str], last: str, below: list[BlockVcn]) -> SoundNode | None:
    """A node that was read to its end; None unless all its entries have nodes below them, or none has."""
    if below:
        return SoundNode(keys, below) if len(below) == len(keys) + 1 else None
    return SoundNode([*keys, last] if keys else [], below)


def _is_tree(top: SoundNode, nodes: dict[BlockVcn, SoundNode]) -> bool:
    """Whether the nodes are one tree, each below one entry, and all their keys are in order."""
    last = ""
    unseen = dict(nodes)
    stack = [(top, 0)]
    while stack:
        node, at = stack.pop()
        if not node.below:
            if node.keys:
                if node.keys[0] <= last:
                    return False
                last = node.keys[-1]
            continue
        if at:
            if node.keys[at - 1] <= last:
                return False
            last = node.keys[at - 1]
        child = unseen.pop(node.below[at], None)
        if child is None:
            return False
        if at < len(node.keys):
            stack.append((node, at + 1))
        stack.append((child, 0))
    return not unseen
