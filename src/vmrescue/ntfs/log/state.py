"""What $LogFile says of the volume: empty, closed, or holding work that NTFS would redo at its next start.

Only its restart pages are read. Source: linux-ntfs documentation, "$LogFile"; the flag and version are as ntfs-3g
judges them: version 2.0 is what Windows 8 and later write while they hold the volume, and turn back into 1.1 when they
close it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmrescue.errors import FormatError
from vmrescue.ntfs.log import layout
from vmrescue.ntfs.structures.fixup import unprotect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.ntfs.data import Stream

SMALLEST_PAGE = 512
EMPTY = b"\xff\xff\xff\xff"
CHUNK = 1 << 20


@dataclass(frozen=True)
class RestartPage:
    """The fields of a restart page that tell whether the log was closed."""

    position: int  # bytes from the start of the log
    lsn: int
    version: tuple[int, int]
    page_size: int
    client: int  # the first in use
    flags: int

    @property
    def closed(self) -> bool:
        """Whether no work is left."""
        return self.version[0] < 2 and (self.client == layout.NO_CLIENT or bool(self.flags & layout.CLEANLY_CLOSED))


def log_reasons(log: Stream) -> list[str]:
    """Why the log has to be replayed before the volume's metadata may change; none where it need not."""
    pages = restart_pages(log)
    if not pages:
        return [] if is_empty(log) else ["$LogFile is not empty and has no sound restart page"]
    newest = max(pages, key=lambda page: page.lsn)
    if newest.closed:
        return []
    major, minor = newest.version
    if major >= 2:
        return [f"$LogFile is of version {major}.{minor}: Windows held the volume open, or sleeps with fast startup"]
    return ["$LogFile was not closed: NTFS will redo and undo what it holds"]


def restart_pages(log: Stream) -> list[RestartPage]:
    """The sound restart pages, two at most: at the start of the log, and one page later."""
    first = _restart_page(log, 0)
    sizes = [first.page_size] if first else list(_probes(log))
    for position in sizes:
        if second := _restart_page(log, position):
            return [first, second] if first else [second]
    return [first] if first else []


def is_empty(log: Stream) -> bool:
    """Whether the log is as a fresh volume's: no page that could be a restart page has been written."""
    return all(log.read_at(position, 4) == EMPTY for position in (0, *_probes(log)))


def _probes(log: Stream) -> Iterator[int]:
    """Where the second restart page, or the first page of records, would be, for every size of page."""
    position = SMALLEST_PAGE
    while position + SMALLEST_PAGE <= log.size:
        yield position
        position *= 2


def _restart_page(log: Stream, position: int) -> RestartPage | None:
    if position + SMALLEST_PAGE > log.size:
        return None
    head = layout.RESTART_PAGE.parse(log.read_at(position, SMALLEST_PAGE))
    signature, page_size, offset = head.signature, head.system_page_size, head.area_offset
    known = signature in (layout.RESTART_SIGNATURE, layout.CHECKED_SIGNATURE)
    if not known or not _sound_sizes(log, position, page_size, head.page_size):
        return None
    page = log.read_at(position, page_size)
    if head.array_count or signature == layout.RESTART_SIGNATURE:
        try:
            page = bytes(unprotect(page, "$LogFile restart page", position))
        except FormatError:
            return None  # torn; the other one is whole
    if offset % 8 or offset + layout.RESTART_AREA.sizeof() > page_size:
        return None
    area = layout.RESTART_AREA.parse(page[offset:])
    lsn = head.checked_lsn if signature == layout.CHECKED_SIGNATURE else area.current_lsn
    return RestartPage(position, lsn, (head.major, head.minor), page_size, area.used_client, area.flags)


def _sound_sizes(log: Stream, position: int, page_size: int, log_page_size: int) -> bool:
    powers = not (page_size & (page_size - 1) or log_page_size & (log_page_size - 1))
    return powers and SMALLEST_PAGE <= page_size <= log.size - position and log_page_size >= SMALLEST_PAGE


def empty_log(log: Stream) -> None:
    """Makes the log as a fresh volume's: every byte 0xff. What is so already is not written again."""
    blank = b"\xff" * CHUNK
    for start in range(0, log.size, CHUNK):
        part = blank[: min(CHUNK, log.size - start)]
        if log.read_at(start, len(part)) != part:
            log.clusters.write_content(start, memoryview(part))
