"""Transaction logs of Windows 8.1 and later: a base block, then entries (`HvLE`), each of them a set of pages.

Source: M. Suhanov, "Windows registry file format specification", section "New format".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from vmrescue.registry.base_block import SECTOR, TRANSACTION_FLAG, BaseBlock, FileType
from vmrescue.registry.cells import PAGE
from vmrescue.registry.marvin import marvin32
from vmrescue.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER = struct.Struct("<4sIIIII8s8s")
HASHED_HEADER = 32  # bytes of an entry's header that the header's hash covers: all before it, the data's hash included
PAGE_REFERENCE = struct.Struct("<II")  # offset from the first bin, size


class LogEntry(NamedTuple):
    """An entry whose hashes are right. `pages` are (offset from the first bin, bytes)."""

    sequence: int
    flags: int
    bins_size: int
    size: int  # bytes of the entry in the log
    pages: list[tuple[int, bytes]]


class BadEntry(Exception):  # noqa: N818 - no error: every log ends with one
    """Why there is no further valid entry in a log, in words."""


class NewLog:
    """A transaction log of the new form."""

    file_types = (FileType.NEW_LOG,)

    def __init__(self, data: bytes, block: BaseBlock) -> None:
        self._data = data
        self.block = block

    def entries(self) -> Iterator[LogEntry]:
        """The entries in their order. Raises BadEntry at the first that is torn or not of this log: the log's end."""
        position = SECTOR
        expected = self.block.primary
        while True:
            entry = self._entry(position)
            if entry.sequence != expected:
                raise BadEntry(f"entry {entry.sequence} follows where {expected} is due")
            yield entry
            position += entry.size
            expected += 1

    def _entry(self, position: int) -> LogEntry:
        where = f"at byte {position}"
        if position + HEADER.size > len(self._data):
            raise BadEntry("the log is full")
        fields = HEADER.unpack_from(self._data, position)
        signature, size, flags, sequence, bins_size, count, data_hash, header_hash = fields
        if signature != b"HvLE":
            raise BadEntry(f"no further entry {where}")
        if size < HEADER.size or size % SECTOR or position + size > len(self._data):
            raise BadEntry(f"entry {sequence} {where} is cut short")
        if marvin32(self._data[position : position + HASHED_HEADER]) != header_hash:
            raise BadEntry(f"the header of entry {sequence} {where} does not match its hash")
        body = self._data[position + HEADER.size : position + size]
        if not bins_size or bins_size % PAGE:
            raise BadEntry(f"entry {sequence} {where} gives the bins a size of {bins_size} bytes")
        pages = _pages(body, count, bins_size, where)
        if marvin32(body) != data_hash:  # checked last, because it takes longest
            raise BadEntry(f"the data of entry {sequence} {where} does not match its hash")
        return LogEntry(sequence, flags & TRANSACTION_FLAG, bins_size, size, pages)


def _pages(body: bytes, count: int, bins_size: int, where: str) -> list[tuple[int, bytes]]:
    if count * PAGE_REFERENCE.size > len(body):
        raise BadEntry(f"the entry {where} refers to {counted(count, 'page')}, more than it holds")
    pages = []
    start = count * PAGE_REFERENCE.size
    for offset, size in PAGE_REFERENCE.iter_unpack(body[:start]):
        if not size or size % SECTOR or offset % SECTOR:  # a size of 0 would let an entry refer to any number of pages
            raise BadEntry(f"the entry {where} has a page of {size} bytes at {offset}: no whole sectors")
        if start + size > len(body) or offset + size > bins_size:
            raise BadEntry(f"the entry {where} has a page that lies outside of it or of the bins")
        pages.append((offset, body[start : start + size]))
        start += size
    if len(body) - start >= PAGE or sum(len(page) for _, page in pages) > bins_size:
        raise BadEntry(f"the entry {where} has {counted(len(body), 'byte')}, more than its pages or the bins")
    return pages


def highest_sequence(data: bytes) -> int:
    """The highest sequence number of any entry in a log, remains of earlier use included; 0 if there is none.

    Only entries whose header matches its hash count: Windows would not apply others.
    """
    highest = 0
    position = data.find(b"HvLE")
    while position >= 0:
        if position % SECTOR == 0 and position + HEADER.size <= len(data):
            fields = HEADER.unpack_from(data, position)
            if fields[3] > highest and marvin32(data[position : position + HASHED_HEADER]) == fields[7]:
                highest = fields[3]
        position = data.find(b"HvLE", position + 1)
    return highest
