"""File records and indexes that are plain, read straight from their bytes: see `plain`.

Source: linux-ntfs documentation, "File record", "Attribute Header", "Data runs", "$INDEX_ROOT", "$INDEX_ALLOCATION".
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from vmrescue.readers.ntfs.layout import (
    ATTRIBUTE,
    BLOCK_SIGNATURE,
    CLUSTERS,
    ENTRY,
    INDEX_ROOT,
    RECORD_SIGNATURE,
    STRIDE,
    VALUE,
    fixed_up,
)
from vmrescue.readers.plain import NotPlainError, Stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Fold = Callable[[bytes], str]  # a name in UTF-16 -> its units in upper case, as `$UpCase` has it

STANDARD, ATTRIBUTE_LIST, FILE_NAME, VOLUME_NAME, DATA = 0x10, 0x20, 0x30, 0x60, 0x80
ROOT_NODE, INDEX_ALLOCATION, INDEX_BITMAP, REPARSE_POINT, END = 0x90, 0xA0, 0xB0, 0xC0, 0xFFFFFFFF
FILE_NAMES = "$I30".encode("utf-16-le")  # the index of a directory
DOS_NAME = 2
MOST_NODES, NODES_KEPT = 64, 64  # nodes that are read for one name, and kept of one directory
MOST_BLOCKS = 1 << 18  # blocks of an index

_RECORD = struct.Struct("<4sHH8xH2xHH")  # signature, fix-ups' place and number, sequence number, first attribute, flags
_BLOCK = struct.Struct("<4sHH16xII")  # signature, fix-ups; first entry and end of entries, both from byte 24
_VCN = struct.Struct("<Q")
_NAME_LENGTH_AT, _NAME_SPACE_AT, _NAME_AT = 0x40, 0x41, 0x42
_IN_USE, _IS_DIRECTORY, _HAS_NODE, _IS_LAST = 1, 2, 1, 2
_NUMBER = (1 << 48) - 1


def _whole(data: bytes, place: int, count: int) -> bytes:
    raw = fixed_up(data, place, count)
    if raw is None:
        raise NotPlainError
    return raw


class Record:
    """A file record without an attribute list."""

    def __init__(self, data: bytes, number: int, clusters: int, cluster_size: int) -> None:
        signature, place, count, self.sequence, first, self.flags = _RECORD.unpack_from(data)
        if signature != RECORD_SIGNATURE:
            raise NotPlainError
        self.number = number
        self._data = _whole(data, place, count)
        self._clusters, self._cluster_size = clusters, cluster_size
        self._attributes = list(self._walk(first))
        if any(kind == ATTRIBUTE_LIST for kind, _, _ in self._attributes):
            raise NotPlainError

    def _walk(self, at: int) -> Iterator[tuple[int, bytes, int]]:
        """Each attribute: (type, name in UTF-16, place)."""
        data = self._data
        while True:
            kind = int.from_bytes(data[at : at + 4], "little")
            if kind == END:
                return
            if at + ATTRIBUTE.size > len(data):
                raise NotPlainError
            _, length, _, name_length, name_at, _ = ATTRIBUTE.unpack_from(data, at)
            if length < 24 or length & 7 or at + length + 4 > len(data) or name_at + 2 * name_length > length:
                raise NotPlainError
            yield kind, data[at + name_at : at + name_at + 2 * name_length], at
            at += length

    @property
    def in_use(self) -> bool:
        return bool(self.flags & _IN_USE)

    @property
    def is_directory(self) -> bool:
        return bool(self.flags & _IS_DIRECTORY)

    def has(self, kind: int) -> bool:
        return any(each == kind for each, _, _ in self._attributes)

    def values(self, kind: int) -> Iterator[bytes]:
        """The content of the attributes of a type, each of which is in the record."""
        for each, _, at in self._attributes:
            if each == kind:
                value = self._stored(at).value
                if value is None:
                    raise NotPlainError
                yield value

    def find(self, kind: int, name: bytes = b"") -> Stored | None:
        """An attribute's content; None if there is none of that type and name."""
        found = [at for each, called, at in self._attributes if each == kind and called == name]
        if len(found) > 1:
            raise NotPlainError
        return self._stored(found[0]) if found else None

    def _stored(self, at: int) -> Stored:
        data = self._data
        kind, length, in_clusters, _, _, flags = ATTRIBUTE.unpack_from(data, at)
        if flags and (in_clusters or kind == DATA):  # an index in its record may say what new files are to be
            raise NotPlainError
        if not in_clusters:
            size, place = VALUE.unpack_from(data, at)
            if place + size > length:
                raise NotPlainError
            return Stored(size, data[at + place : at + place + size], (), size)
        if length < CLUSTERS.size:
            raise NotPlainError
        first, place, size, initialized = CLUSTERS.unpack_from(data, at)
        runs = tuple(self._runs(data[at + place : at + length]))
        if first or not initialized <= size <= self._cluster_size * sum(count for _, count in runs):
            raise NotPlainError
        ordered = sorted(runs)
        if any(start + count > following for (start, count), (following, _) in pairwise(ordered)):
            raise NotPlainError
        if ordered and not (ordered[0][0] >= 0 and sum(ordered[-1]) <= self._clusters):
            raise NotPlainError
        return Stored(size, None, runs, initialized)

    def _runs(self, pairs: bytes) -> Iterator[tuple[int, int]]:
        at = cluster = 0
        while at < len(pairs) and pairs[at]:
            counted, moved = pairs[at] & 15, pairs[at] >> 4
            end = at + 1 + counted + moved
            if not counted or not moved or end > len(pairs):
                raise NotPlainError
            cluster += int.from_bytes(pairs[at + 1 + counted : end], "little", signed=True)
            count = int.from_bytes(pairs[at + 1 : at + 1 + counted], "little", signed=True)
            if count <= 0:
                raise NotPlainError
            yield cluster, count
            at = end
        if at >= len(pairs):
            raise NotPlainError


class Entry(NamedTuple):
    """An entry of an index: record number and sequence number of the file, the name in UTF-16, the node below or -1."""

    number: int
    sequence: int
    name: bytes
    short: bool
    below: int


class Index:
    """The names in a directory, for look-ups: the nodes that are read are kept, with their names in upper case."""

    def __init__(self, directory: Record, read: Callable[[Stored, int, int], bytes], fold: Fold, unit: int) -> None:
        root, self._blocks = directory.find(ROOT_NODE, FILE_NAMES), directory.find(INDEX_ALLOCATION, FILE_NAMES)
        if root is None or root.value is None or len(root.value) < INDEX_ROOT.size:
            raise NotPlainError
        self._root, self._read, self._fold = root.value, read, fold
        self._in_use = directory.find(INDEX_BITMAP, FILE_NAMES)
        self._size = INDEX_ROOT.unpack_from(self._root)[0]
        self._vcn_size = unit if unit <= self._size else STRIDE
        self._nodes: dict[int, tuple[list[str], list[Entry]]] = {}

    def find(self, name: str) -> Entry | None:
        """The entry spelled so, else the one that matches in any case; None if there is none."""
        raw = name.encode("utf-16-le", "surrogatepass")
        found = list(self._fitting(-1, self._fold(raw), []))
        exact = next((entry for entry in found if entry.name == raw), None)
        if exact is None and len(found) > 1:
            raise NotPlainError
        return exact or (found[0] if found else None)

    def names(self) -> Iterator[Entry]:
        """The entries of all names, without short forms: those of the root, then of the blocks in use."""
        nodes = [-1]
        if self._blocks is not None:
            if self._in_use is None or not self._size or self._blocks.size > MOST_BLOCKS * self._size:
                raise NotPlainError
            in_use, count = self._read(self._in_use, 0, MOST_BLOCKS // 8), self._blocks.size // self._size
            step = self._size // self._vcn_size
            nodes += [at * step for at in range(min(count, 8 * len(in_use))) if in_use[at // 8] >> at % 8 & 1]
        for vcn in nodes:
            *entries, _ = self._entries(*self._content(vcn))
            yield from (entry for entry in entries if not entry.short)

    def _fitting(self, vcn: int, wanted: str, way: list[int]) -> Iterator[Entry]:
        if vcn in way or len(way) > MOST_NODES:
            raise NotPlainError
        way.append(vcn)
        keys, entries = self._node(vcn)
        for at in range(bisect_left(keys, wanted), len(entries)):
            if entries[at].below >= 0:
                yield from self._fitting(entries[at].below, wanted, way)
            if at == len(keys) or keys[at] != wanted:
                return
            yield entries[at]

    def _node(self, vcn: int) -> tuple[list[str], list[Entry]]:
        node = self._nodes.get(vcn)
        if node is None:
            if len(self._nodes) >= NODES_KEPT:
                self._nodes.clear()
            node = self._nodes[vcn] = self._parsed(*self._content(vcn))
        return node

    def _content(self, vcn: int) -> tuple[bytes, int, int]:
        """A node: its bytes, and where its entries begin and end."""
        if vcn < 0:
            _, first, end = INDEX_ROOT.unpack_from(self._root)
            return self._root, 16 + first, 16 + end
        at = vcn * self._vcn_size
        if self._blocks is None or self._size not in (1024, 2048, 4096) or at + self._size > self._blocks.initialized:
            raise NotPlainError
        block = self._read(self._blocks, at, self._size)
        signature, place, count, first, end = _BLOCK.unpack_from(block)
        if signature != BLOCK_SIGNATURE:
            raise NotPlainError
        return _whole(block, place, count), 24 + first, 24 + end

    def _parsed(self, node: bytes, at: int, end: int) -> tuple[list[str], list[Entry]]:
        entries = self._entries(node, at, end)
        return [self._fold(entry.name) for entry in entries[:-1]], entries

    def _entries(self, node: bytes, at: int, end: int) -> list[Entry]:
        """A node's entries; the last one has no name."""
        entries: list[Entry] = []
        while at + ENTRY.size <= min(end, len(node)):
            reference, length, key_length, flags = ENTRY.unpack_from(node, at)
            if length < ENTRY.size or at + length > end or length & 7:
                break
            below = _VCN.unpack_from(node, at + length - 8)[0] if flags & _HAS_NODE else -1
            if flags & _IS_LAST:
                entries.append(Entry(0, 0, b"", False, below))
                return entries
            key = at + ENTRY.size
            name = node[key + _NAME_AT : key + _NAME_AT + 2 * node[key + _NAME_LENGTH_AT]]
            if _NAME_AT + len(name) > key_length or ENTRY.size + key_length > length:
                break
            short = node[key + _NAME_SPACE_AT] == DOS_NAME
            entries.append(Entry(reference & _NUMBER, reference >> 48, name, short, below))
            at += length
        raise NotPlainError
