"""Whether a volume's log is closed or empty, according to its restart pages. Confirms a replay.

dissect.ntfs does not parse $LogFile, so its pages are parsed here. Source: linux-ntfs documentation, "$LogFile".
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, NamedTuple

from vmrescue.readers.ntfs.layout import STRIDE, fixed_up

if TYPE_CHECKING:
    from typing import BinaryIO

LARGEST_PAGE = 64 << 10
RESTART, CHECKED = b"RSTR", b"CHKD"
ERASED = b"\xff\xff\xff\xff"
NOBODY = 0xFFFF  # value of "first client in use" if no client uses the log
CLEAN = 0x0002  # flag of the restart area

# signature, fix-ups (offset, count), LSN, bytes of a page and of a log page, area's offset, version (minor, major)
_PAGE = struct.Struct("<4sHHQII3H")
_AREA = struct.Struct("<Q3HH")  # LSN, clients, free, in use, flags


class _Restart(NamedTuple):
    lsn: int
    major: int
    user: int
    flags: int


def why_not_closed(log: BinaryIO) -> str | None:
    """Why the log must be replayed; None if it need not be."""
    size = log.seek(0, os.SEEK_END)
    places = [0, *(STRIDE << power for power in range(LARGEST_PAGE.bit_length()) if STRIDE << power <= LARGEST_PAGE)]
    found = [page for at in places if (page := _restart(log, at, size))]
    if not found:
        erased = all(_read(log, at, 4) in (ERASED, b"") for at in places)
        return None if erased else "it is not erased, and has no sound restart page"
    newest = max(found)
    if newest.major >= 2:
        return f"it is of version {newest.major}: Windows holds the volume open"
    if newest.user != NOBODY and not newest.flags & CLEAN:
        return "its newest restart page names a client that did not close it"
    return None


def _read(log: BinaryIO, at: int, length: int) -> bytes:
    log.seek(at)
    return log.read(length)


def _restart(log: BinaryIO, at: int, size: int) -> _Restart | None:
    """The restart page at a position of the log; None if there is no valid one."""
    head = _read(log, at, _PAGE.size)
    if len(head) < _PAGE.size or head[:4] not in (RESTART, CHECKED):
        return None
    signature, fixups, count, checked_lsn, length, _, area, _, major = _PAGE.unpack(head)
    if length % STRIDE or not STRIDE <= length <= min(LARGEST_PAGE, size - at) or area + _AREA.size > length:
        return None
    raw = _read(log, at, length)
    page = fixed_up(raw, fixups, count) if count else raw
    if page is None:
        return None
    lsn, _, _, user, flags = _AREA.unpack_from(page, area)
    return _Restart(checked_lsn if signature == CHECKED else lsn, major, user, flags)
