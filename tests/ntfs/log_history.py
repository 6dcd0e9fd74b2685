"""The past of a real volume: sessions that are long over, still to be read in its log."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from vmrescue.errors import FormatError
from vmrescue.ntfs.attribute import Kind
from vmrescue.ntfs.log_layout import RECORD_HEADER, UPDATE
from vmrescue.ntfs.log_pages import LogFile
from vmrescue.ntfs.log_records import Records, read_update
from vmrescue.ntfs.store import Store
from vmrescue.ntfs.system_files import LOG_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.disk.device import BlockDevice
    from vmrescue.ntfs.log_pages import Page
    from vmrescue.ntfs.log_records import LogRecord, Update


def open_log(device: BlockDevice) -> tuple[Store, LogFile]:
    store = Store(device)
    return store, LogFile(store.file(LOG_FILE).stream(Kind.DATA))


def longest_session(log: LogFile) -> list[Update]:
    """The updates of the longest run of records that the log still holds."""
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
    """The LSNs of a page at whose places there is a record that bears them."""
    for within in range(log.data_offset, log.page_size - RECORD_HEADER.size, 8):
        lsn = log.lsn(page.offset + within, page.newest >> log.place_bits)
        if struct.unpack_from("<Q", page.data, within)[0] == lsn:
            yield lsn


def _walk(records: Records, lsn: int) -> list[LogRecord]:
    try:
        return list(records.walk(lsn))
    except FormatError:
        return []  # data of a record that look like another
