"""Old sessions of a real volume that are still in its log: they are undone and redone."""

from __future__ import annotations

import struct
from collections import Counter
from typing import TYPE_CHECKING

from ntfs.log_builder import plain
from vmrescue.errors import FormatError
from vmrescue.ntfs.log.layout import RECORD_HEADER, UPDATE, TargetFlag
from vmrescue.ntfs.log.operations import NOT_ON_PAGES
from vmrescue.ntfs.log.pages import LogFile
from vmrescue.ntfs.log.records import Records, read_update
from vmrescue.ntfs.log.tables import OpenAttribute
from vmrescue.ntfs.log.target import Target, redo_of, undo_of
from vmrescue.ntfs.store import FileStore
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.ntfs.structures.system_files import LOG_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.device import BlockDevice
    from vmrescue.ntfs.log.pages import Page
    from vmrescue.ntfs.log.records import LogRecord, Update

RECORD, BLOCK = 1024, 4096
NONE_LOST = range(0)  # no LSNs count as lost, so every LSN on disk counts as one of an older log


def open_log(device: BlockDevice) -> tuple[FileStore, LogFile]:
    store = FileStore(device)
    return store, LogFile(store.file(LOG_FILE).stream(Kind.DATA))


def longest_session(log: LogFile) -> list[Update]:
    """The updates of the longest run of consecutive records that is still in the log."""
    return max(sessions(log), key=len)


def last_session(log: LogFile) -> list[Update]:
    return max(sessions(log), key=lambda updates: updates[-1].lsn)


def sessions(log: LogFile) -> list[list[Update]]:
    records = Records(log)
    pages = [page for offset in range(log.first_page, log.size, log.page_size) if (page := log.page(offset))]
    seen: set[int] = set()
    found = []
    for page in sorted(pages, key=lambda page: page.newest):
        for lsn in _starts(log, page):
            if lsn in seen:
                break
            run = _walk(records, lsn)
            if run and run[0].lsn not in seen:
                seen.update(record.lsn for record in run)
                found.append([read_update(record) for record in run if record.kind == UPDATE])
    return [updates for updates in found if updates]


def _starts(log: LogFile, page: Page) -> Iterator[int]:
    """The LSNs of the records in a page: those at whose offset a record with this LSN begins."""
    for within in range(log.data_offset, log.page_size - RECORD_HEADER.size, 8):
        lsn = log.lsn(page.offset + within, page.newest >> log.place_bits)
        if struct.unpack_from("<Q", page.data, within)[0] == lsn:
            yield lsn


def _walk(records: Records, lsn: int) -> list[LogRecord]:
    try:
        return list(records.walk(lsn))
    except FormatError:
        return []  # data of a record that look like a record


def attribute_of(update: Update) -> OpenAttribute:
    """An update's attribute according to Windows' own tables in the log."""
    if update.target & TargetFlag.FILE_RECORD:
        return OpenAttribute(Kind.DATA, 0, 0)
    return OpenAttribute(Kind.INDEX_ALLOCATION if update.target & TargetFlag.INDEX_BLOCK else Kind.DATA, 5, 0)


def undo_all(store: FileStore, updates: list[Update]) -> tuple[int, int]:
    """Reverts every change, last first; returns how many were reverted, and how many could not be.

    NTFS itself never goes back so far: if a file record was reused for another file, the log has only its header.
    """
    done = failed = 0
    for update in reversed(updates):
        if update.lcns and update.undo_operation not in NOT_ON_PAGES:
            target = Target(store, update, update.lcns, attribute_of(update), NONE_LOST)
            try:
                done += target.apply(undo_of(update), None)
            except FormatError:
                failed += 1
    return done, failed


def redo_all(store: FileStore, updates: list[Update]) -> Counter[int]:
    """Repeats every change, with an LSN above the log's, so that no structure counts as changed already."""
    done: Counter[int] = Counter()
    for update in updates:
        if update.lcns and update.redo_operation not in NOT_ON_PAGES:
            target = Target(store, update, update.lcns, attribute_of(update), NONE_LOST)
            done[update.redo_operation] += target.apply(redo_of(update), update.lsn)
    return done


def meaning(data: bytes, position: int) -> bytes:
    """The used bytes of a block of a volume, without LSN and fix-ups."""
    block = data[position : position + BLOCK]
    if block[:4] == b"INDX":
        return _meaning(plain(block), 0x18 + int.from_bytes(block[0x1C:0x20], "little"))
    records = [data[at : at + RECORD] for at in range(position, position + BLOCK, RECORD)]
    return b"".join(
        _meaning(plain(record), int.from_bytes(record[0x18:0x1C], "little")) if record[:4] == b"FILE" else record
        for record in records
    )


def _meaning(record: bytearray, used: int) -> bytes:
    offset, count = (int.from_bytes(record[at : at + 2], "little") for at in (4, 6))
    record[8:16] = bytes(8)
    record[offset : offset + 2 * count] = bytes(2 * count)
    return bytes(record[:used])


def changed_blocks(before: bytes, after: bytes) -> list[int]:
    blocks = range(0, len(before) - BLOCK + 1, BLOCK)
    return [at for at in blocks if before[at : at + BLOCK] != after[at : at + BLOCK]]
