"""The order in which a commit to a VHDX is taken back, so that any program finds the file sound after a crash."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from vmrescue.errors import RefusedError
from vmrescue.image.commit_step import common
from vmrescue.image.containers.vhdx.commit import (
    LAST_SEQUENCE,
    Last,
    changed_metadata,
    is_usable,
    log_needed,
    new_session,
    steps_of,
)
from vmrescue.image.containers.vhdx.file import read_file
from vmrescue.image.containers.vhdx.layout import HEADERS_AT, SECTOR
from vmrescue.image.signs import joined

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmrescue.device import Range
    from vmrescue.image.commit_step import Step
    from vmrescue.image.transports.file import ImageStore


def steps_back(image: ImageStore, old: ImageStore, written: Iterable[Range]) -> list[Step]:
    """The steps in which a commit is taken back, whether it was finished or not.

    Args:
        image: the file as it is.
        old: the file as it is to be again.
        written: (offset, length) of what the commit wrote, ascending.

    Raises:
        FormatError, UnsupportedError: the file cannot be read, as it is or as it is to be.
        RefusedError: its log has no room, or its headers have no higher number.
    """
    with ExitStack() as opened:
        before, after = (read_file(store, opened) for store in (image, old))
        raw = [] if after.replayed is None else after.replayed.changed_ranges()
        places = joined([*before.metadata_ranges, *after.metadata_ranges])
        changed = [*common(places, written), *raw]
        sectors = {number for at, length in changed for number in range(at // SECTOR, -(-(at + length) // SECTOR))}
        metadata = changed_metadata(image, after.seen, sectors)
    header = before.current.header
    has_room = is_usable(header, image.size) and log_needed(len(metadata)) <= header.log_length
    if (metadata and not has_room) or header.sequence + 6 > LAST_SEQUENCE:
        raise RefusedError("the VHDX's log has no room, or its headers have no higher number")
    last = Last(HEADERS_AT[after.current.slot], {at: old.read_at(at, SECTOR) for at in HEADERS_AT})
    if raw:
        raw = list(joined([*raw, *((at, SECTOR) for at in metadata)]))
    session = new_session(header.log_offset, header.log_length)
    return steps_of(image, max(image.size, old.size), metadata, session, last, raw)
