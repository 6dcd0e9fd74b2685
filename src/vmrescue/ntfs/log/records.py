"""$LogFile: its records, found by their LSNs.

An LSN gives the place of its record, and the record repeats it, so records from before the ring was last overwritten
are recognised. The log ends before the first record that is incomplete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.errors import RefusedError
from vmrescue.ntfs.log import layout
from vmrescue.ntfs.log.errors import in_log
from vmrescue.ntfs.structures.fields import align8
from vmrescue.ntfs.structures.positions import Lcn, Vcn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.ntfs.log.pages import LogFile, Page

ZEROS_MEANT = frozenset(
    {
        layout.LogOperation.UPDATE_RESIDENT_VALUE,
        layout.LogOperation.UPDATE_NON_RESIDENT_VALUE,
        layout.LogOperation.ZERO_END_OF_FILE_RECORD,
    }
)


@dataclass(frozen=True)
class LogRecord:
    """One record. `following` is the LSN that the next record, if there is one, must have."""

    lsn: int
    undo_next: int
    kind: int
    transaction: int
    data: bytes
    position: int  # in bytes from the start of the log
    following: int


@dataclass(frozen=True)
class Update:
    """A change that NTFS logged: how a part of an attribute was changed (redo), and how to change it back (undo)."""

    lsn: int
    position: int  # in bytes from the start of the log
    redo_operation: int
    undo_operation: int
    redo: bytes
    undo: bytes
    same_length: bool  # redo and undo data have the same length
    attribute: int  # key of the open attribute
    lcns: tuple[Lcn, ...]
    record_offset: int  # of the attribute in its file record, or of the data in the page
    attribute_offset: int
    block_offset: int  # bytes; of the record in its cluster
    target: int  # TargetFlag
    vcn: Vcn


def read_update(record: LogRecord) -> Update:
    """Parses an update in a record's data. Raises FormatError if its parts are not inside the data."""
    data = record.data
    if len(data) < layout.UPDATE_HEADER.size:
        raise in_log("$LogFile record", record.position, f"{layout.UPDATE_HEADER.size} bytes", len(data))
    fields = layout.UPDATE_HEADER.unpack_from(data)
    redo_operation, undo_operation, redo_offset, redo_length, undo_offset, undo_length = fields[:6]
    attribute, count, record_offset, attribute_offset, block, flags, vcn = fields[6:]
    end = layout.UPDATE_HEADER.size + count * layout.LCN_SIZE
    if end > len(data):
        raise in_log("$LogFile record", record.position, f"{count} clusters in {len(data)} bytes", end)
    lcns = data[layout.UPDATE_HEADER.size : end]
    return Update(
        record.lsn,
        record.position,
        redo_operation,
        undo_operation,
        _part(record, redo_operation, redo_offset, redo_length),
        _part(record, undo_operation, undo_offset, undo_length),
        redo_length == undo_length,
        attribute,
        tuple(Lcn(int.from_bytes(lcns[at : at + 8], "little")) for at in range(0, len(lcns), layout.LCN_SIZE)),
        record_offset,
        attribute_offset,
        block * layout.SECTOR,
        flags,
        vcn,
    )


def _part(record: LogRecord, operation: int, offset: int, length: int) -> bytes:
    """Redo or undo data. A record may give a length without data, which means zeros if a value is changed."""
    if offset == len(record.data):
        return bytes(length) if operation in ZEROS_MEANT else b""
    if length and not layout.UPDATE_HEADER.size <= offset <= len(record.data) - length:
        found = f"{length} at {offset}"
        raise in_log("$LogFile record", record.position, f"data within its {len(record.data)} bytes", found)
    return record.data[offset : offset + length]


class Records:
    """The records of a log."""

    def __init__(self, log: LogFile) -> None:
        self.log = log

    def get(self, lsn: int) -> LogRecord:
        """The record with an LSN. Raises FormatError if it is missing or incomplete."""
        found = self.find(lsn)
        if isinstance(found, int):
            raise in_log("$LogFile", found, f"record 0x{lsn:x}, whole", "another, none, or a torn page")
        return found

    def walk(self, lsn: int) -> Iterator[LogRecord]:
        """The record with an LSN and all records after it. Raises FormatError if the first is missing."""
        record: LogRecord | int = self.get(lsn)
        while isinstance(record, LogRecord):
            yield record
            record = self.find(record.following)

    def find(self, lsn: int) -> LogRecord | int:
        """The record with an LSN; if it is incomplete, the offset of the page that does not have its part."""
        log = self.log
        start = log.offset(lsn)
        within = start % log.page_size
        at = start - within
        if at < log.first_page or start >= log.size or within < log.data_offset:
            raise in_log("$LogFile record", start, "an LSN of a place in a page of records", f"0x{lsn:x}")
        page = log.page(at)
        if page is None or page.newest < lsn or within + layout.RECORD_HEADER.size > log.page_size:
            return at
        head = layout.RECORD_HEADER.unpack_from(page.data, within)
        this_lsn, _, undo_next, length, sequence, index, kind, transaction, _ = head
        if this_lsn != lsn:
            return at
        if length > log.size or (sequence, index) != (log.client.sequence, 0):
            found = f"{length} bytes of client {index}, sequence {sequence}"
            raise in_log("$LogFile record", start, "a record of NTFS that fits in the log", found)
        data, last, end = self._data(page, within + layout.RECORD_HEADER.size, length)
        if last is None or last.last_end is None or last.last_end < lsn:
            return end
        following = self._following(lsn, last, end)
        return LogRecord(lsn, undo_next, kind, transaction, data, start, following)

    def _data(self, page: Page, within: int, length: int) -> tuple[bytes, Page | None, int]:
        """(data, page where the record ends, end in that page); if a page is missing, (b"", None, its offset)."""
        log = self.log
        newest = page.newest
        parts = [page.data[within : within + length]]
        rest = length - len(parts[0])
        end = within + len(parts[0])
        while rest:
            at = log.next_page(page.offset)
            following = log.page(at)
            if following is None or following.newest < newest:
                return b"", None, at
            page = following
            parts.append(page.data[log.data_offset : log.data_offset + rest])
            rest -= len(parts[-1])
            end = log.data_offset + len(parts[-1])
        return b"".join(parts), page, end

    def _following(self, lsn: int, last: Page, end: int) -> int:
        """The LSN of the record that follows the one that ends in page `last` at `end`."""
        log = self.log
        sequence = lsn >> log.place_bits
        if last.offset < log.offset(lsn) - log.offset(lsn) % log.page_size:
            sequence += 1  # the record begins near the end of the file and ends near its start
        if last.newest > lsn:
            return log.lsn(last.offset + align8(end), sequence)
        at = log.next_page(last.offset)
        return log.lsn(at + log.data_offset, sequence + (at < last.offset))

    def check_end(self, last: LogRecord) -> None:
        """Checks that nothing was logged after `last`, the last record that was found.

        Later pages are allowed only if they were written at once with the page that is torn or missing.

        Raises:
            FormatError: the log ends before the last record that its restart page names.
            RefusedError: there are later records, but records before them are missing.
        """
        log = self.log
        if last.lsn < log.area.current_lsn:
            raise in_log("$LogFile", log.offset(last.following), f"records to 0x{log.area.current_lsn:x}", "less")
        broken = self.find(last.following)
        if isinstance(broken, LogRecord):
            raise in_log("$LogFile", broken.position, "the end of the log", "a record")
        at = log.offset(last.following)
        at -= at % log.page_size
        reached = broken == at  # pages before the broken one may have parts of the record that is incomplete
        since = 0
        for _ in range((log.size - log.first_page) // log.page_size):
            page = log.page(at)
            if page and page.newest > last.lsn and reached and page.transfer_place - 1 < since:
                raise RefusedError(
                    f"$LogFile is torn after record 0x{last.lsn:x} (page at byte {broken}), but goes on in the page at "
                    f"byte {at}: where it ends cannot be told, and nothing was written"
                )
            at = log.next_page(at)
            since += reached
            reached = reached or at == broken
