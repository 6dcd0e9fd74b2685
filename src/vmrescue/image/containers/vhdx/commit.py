"""The order in which the changes of a VHDX reach its file, so that any program finds it sound after a crash.

The file is clean before and afterwards: its log is empty. In between, each line below is one step; the file is synced
after it ([MS-VHDX] 2.2.2.1, 2.3):

 1. a header with new ids of writes, the log empty       Whoever looks at these ids sees that the file was changed.
 2. everything but metadata, and the metadata as an      The blocks are in their places, and new ones are not used yet:
    entry in the log                                     the table does not lead to them.
 3. a header that names the log                          From here on whoever opens the file replays the log.
 4. the metadata in their places
 5. a header with the log empty                          The file is clean.
 6. the other header; the log as it was

Where many sectors of metadata change, steps 2 and 4 come again and again, each entry in that half of the log in which
the one before it is not. Where none does, only 1, 2 and 6 are left. A file whose log was not empty is first made what
the replay of that log makes of it: that takes three steps more.

Blocks in place are not protected by the log, here as in Hyper-V: a crash leaves some of their sectors old and some new,
until the journal of the commit is rolled back.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmrescue.errors import RefusedError
from vmrescue.image.commit_step import Step
from vmrescue.image.containers.vhdx.header import Current, build_header, read_current
from vmrescue.image.containers.vhdx.layout import HEADERS_AT, MIB, NO_GUID, SECTOR, Header
from vmrescue.image.containers.vhdx.log import build_entry, replayed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmrescue.device import BlockDevice
    from vmrescue.image.overlay import Overlay

BATCH = 126  # sectors of an entry: their descriptors fill its first sector, and it fits in half a log of 1 MiB
LEAST_LOG = MIB  # bytes
LAST_SEQUENCE = (1 << 64) - 1  # the largest number of a header


@dataclass(frozen=True)
class Session:
    """What the headers say while a file is open for writing: the new ids of its writes, and where its log is."""

    file_write_guid: bytes
    data_write_guid: bytes
    log_offset: int
    log_length: int

    def header(self, sequence: int, log_guid: bytes = NO_GUID) -> bytes:
        return build_header(
            Header(
                sequence, self.file_write_guid, self.data_write_guid, log_guid, 0, 1, self.log_length, self.log_offset
            )
        )


def new_session(log_offset: int, log_length: int) -> Session:
    """One with new ids."""
    return Session(uuid.uuid4().bytes_le, uuid.uuid4().bytes_le, log_offset, log_length)


def is_usable(header: Header, size: int) -> bool:
    """Whether a file of `size` bytes has the log that its header tells of."""
    place, length = header.log_offset, header.log_length
    return place >= MIB and place % MIB == length % MIB == 0 and length >= LEAST_LOG and place + length <= size


def last_headers(current: Current, session: Session) -> dict[int, bytes]:
    """Position -> bytes of both headers once a commit is finished. The one that was not current is written first.

    Raises RefusedError if no higher sequence numbers are left.
    """
    sequence = _first_sequence(current) + 3
    if sequence + 1 > LAST_SEQUENCE:
        raise RefusedError("the sequence numbers of the VHDX's headers have come to their end: it is not edited")
    return {
        HEADERS_AT[1 - current.slot]: session.header(sequence),
        HEADERS_AT[current.slot]: session.header(sequence + 1),
    }


def _first_sequence(current: Current) -> int:
    """The sequence number of the current header once the file's own log is replayed."""
    return current.header.sequence + (2 if current.has_log else 0)


def steps_of(image: BlockDevice, changed: BlockDevice, sectors: Iterable[int], session: Session) -> list[Step]:
    """The steps of a commit.

    Args:
        image: the file as it is.
        changed: the file as it is to be, with the headers of `last_headers`.
        sectors: numbers of its sectors, of 4096 bytes, that may hold changed metadata.
    """
    current = read_current(image)
    other, own = HEADERS_AT[1 - current.slot], HEADERS_AT[current.slot]
    sequence = _first_sequence(current)
    steps: list[Step] = []
    before = image
    if current.has_log:
        before, _ = view, _ = replayed(image, current.header)
        steps += _replay(view, current, session)
    metadata = [
        (offset, data)
        for offset in (SECTOR * sector for sector in sorted(sectors))
        if offset + SECTOR <= before.size
        and (data := changed.read_at(offset, SECTOR)) != before.read_at(offset, SECTOR)
    ]
    if before is not image:
        before.close()
    last_other, last_own = ((at, SECTOR) for at in (other, own))
    if not metadata:
        return [*steps, Step((last_other,)), Step(is_rest=True), Step((last_own,))]
    steps.append(Step(passing={other: session.header(sequence + 1)}))
    guid = uuid.uuid4().bytes_le
    places = set()
    for number, batch in enumerate(_batches(metadata)):
        tail = number % 2 * (session.log_length // 2)
        entry = build_entry(guid, number + 1, tail, batch, changed.size, changed.size)
        places.add(session.log_offset + tail)
        steps.append(Step(passing={session.log_offset + tail: entry}, is_rest=not number))
        if not number:
            steps.append(Step(passing={own: session.header(sequence + 2, guid)}))
        steps.append(Step(tuple((offset, SECTOR) for offset, _ in batch)))
    log = tuple((place, session.log_length // 2) for place in sorted(places))
    return [*steps, Step((last_other,)), Step((last_own, *log))]


def _replay(view: Overlay, current: Current, session: Session) -> Iterator[Step]:
    """The steps after which the log that the file had is empty."""
    header = current.header
    own = Session(session.file_write_guid, header.data_write_guid, header.log_offset, header.log_length)
    yield Step(passing={HEADERS_AT[1 - current.slot]: own.header(header.sequence + 1, header.log_guid)})
    changes = view.changed_ranges()
    yield Step(passing={offset: view.read_at(offset, length) for offset, length in changes})
    yield Step(passing={HEADERS_AT[current.slot]: own.header(header.sequence + 2)})


def _batches(sectors: list[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    for start in range(0, len(sectors), BATCH):
        yield sectors[start : start + BATCH]
