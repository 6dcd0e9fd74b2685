"""The state of $LogFile: empty, closed, or with changes that NTFS would replay at the next mount.

Reads only its restart pages. Source: linux-ntfs documentation, "$LogFile"; the flag and the version are judged as in
ntfs-3g: Windows 8 and later write version 2.0 while the volume is mounted, and 1.1 when they dismount it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.errors import FormatError
from vmrescue.ntfs.log import layout
from vmrescue.ntfs.log.errors import LOG
from vmrescue.ntfs.structures.fixup import unprotect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.ntfs.data import Stream

SMALLEST_PAGE = 512
LARGEST_PAGE = 64 << 10  # a page of memory has no more on any machine that Windows runs on
EMPTY = b"\xff\xff\xff\xff"
CHUNK = 1 << 20
AHEAD = 8 << 20  # bytes; so many are announced while those before them are read


@dataclass(frozen=True)
class RestartPage:
    """The fields of a restart page that tell whether the log was closed."""

    position: int  # bytes from the start of the log
    lsn: int
    version: tuple[int, int]
    page_size: int
    client: int  # number of the first client in use
    flags: int

    @property
    def closed(self) -> bool:
        """Whether nothing has to be replayed."""
        return self.version[0] < 2 and (self.client == layout.NO_CLIENT or bool(self.flags & layout.CLEANLY_CLOSED))


def log_reasons(log: Stream) -> list[str]:
    """Why the log must be replayed before the volume's metadata may change; empty if it need not be."""
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
    """The valid restart pages, at most two: at the start of the log, and one page later."""
    first = _restart_page(log, 0)
    sizes = [first.page_size] if first else list(_probes(log))
    for position in sizes:
        if second := _restart_page(log, position):
            return [first, second] if first else [second]
    return [first] if first else []


def is_empty(log: Stream) -> bool:
    """Whether the log is as on a newly formatted volume: nothing is in any place where a restart page could be."""
    return all(log.read_at(position, 4) == EMPTY for position in (0, *_probes(log)))


def _probes(log: Stream) -> Iterator[int]:
    """The possible positions of the second restart page and of the first page of records, for every page size."""
    position = SMALLEST_PAGE
    while position <= LARGEST_PAGE and position + SMALLEST_PAGE <= log.size:
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
            page = bytes(unprotect(page, "$LogFile restart page", position, LOG))
        except FormatError:
            return None  # torn; then the other restart page is valid
    if offset % 8 or offset + layout.RESTART_AREA.sizeof() > page_size:
        return None
    area = layout.RESTART_AREA.parse(page[offset:])
    lsn = head.checked_lsn if signature == layout.CHECKED_SIGNATURE else area.current_lsn
    return RestartPage(position, lsn, (head.major, head.minor), page_size, area.used_client, area.flags)


def _sound_sizes(log: Stream, position: int, page_size: int, log_page_size: int) -> bool:
    powers = not (page_size & (page_size - 1) or log_page_size & (log_page_size - 1))
    return powers and SMALLEST_PAGE <= page_size <= log.size - position and log_page_size >= SMALLEST_PAGE


def empty_log(log: Stream) -> None:
    """Makes the log as on a newly formatted volume: every byte 0xff. Parts that are so already are not written."""
    blank = b"\xff" * CHUNK
    for start in range(0, log.size, CHUNK):
        if start % AHEAD == 0:
            log.prefetch(start, 2 * AHEAD)
        part = blank[: min(CHUNK, log.size - start)]
        if log.read_at(start, len(part)) != part:
            log.clusters.write_content(start, memoryview(part))
