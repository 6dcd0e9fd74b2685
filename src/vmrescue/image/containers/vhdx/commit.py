"""The order in which the changes of a VHDX reach its file, so that any program finds it sound after a crash.

The file is clean before and afterwards: its log is empty. In between, each line below is one step; the file is synced
after it ([MS-VHDX] 2.2.2.1, 2.3):

 1. a header with new ids of writes, the log empty       Whoever looks at these ids sees that the file was changed.
 2. everything but metadata, and the metadata as one     The blocks are in their places, and new ones are not used yet:
    sequence of entries in the log                       the table does not lead to them.
 3. a header that names the log                          From here on whoever opens the file replays the log, all of it.
 4. the metadata in their places
 5. a header with the log empty                          The file is clean.
 6. the other header; the log as it was

So the metadata are wholly old or wholly new, however many they are: where the log is too short for them, the file gets
a longer one at its end. Where none change, only 1, 2 and 6 are left. A file whose log was not empty is first made what
the replay of that log makes of it: that takes three steps more.

An undo goes the same way, with the old metadata (`back`). In its last steps the headers and the log get their old
bytes, while a header says that the log is empty; where the old ones name the log, what it leads to comes last.

Blocks in place are not protected by the log, here as in Hyper-V: a crash leaves some of their sectors old and some new,
until the journal of the commit is rolled back.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.errors import RefusedError
from vmrescue.image.commit_step import Step
from vmrescue.image.containers.vhdx.header import Current, build_header, read_current
from vmrescue.image.containers.vhdx.layout import HEADERS_AT, MIB, NO_GUID, SECTOR, Header
from vmrescue.image.containers.vhdx.log import build_entry, replayed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from vmrescue.device import BlockDevice, Range, Readable

MOST = 126  # sectors of an entry: their descriptors fill its first sector. QEMU replays no longer ones
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


@dataclass(frozen=True)
class Last:
    """The headers in the end: position -> bytes of both, and the place of the one that is current then."""

    place: int
    headers: Mapping[int, bytes]


def last_headers(current: Current, session: Session) -> Last:
    """The headers once a commit is finished. The one that was not current is written first.

    Raises RefusedError if no higher sequence numbers are left.
    """
    sequence = _first_sequence(current) + 3
    if sequence + 1 > LAST_SEQUENCE:
        raise RefusedError("the sequence numbers of the VHDX's headers have come to their end: it is not edited")
    other, own = HEADERS_AT[1 - current.slot], HEADERS_AT[current.slot]
    return Last(own, {other: session.header(sequence), own: session.header(sequence + 1)})


def _first_sequence(current: Current) -> int:
    """The sequence number of the current header once the file's own log is replayed."""
    return current.header.sequence + (2 if current.has_log else 0)


def changed_metadata(image: BlockDevice, changed: Readable, sectors: Iterable[int]) -> dict[int, bytes]:
    """Position -> bytes of the sectors of metadata that a commit changes in their places.

    Args:
        image: the file as it is; what its log brings is there already.
        changed: the file as it is to be.
        sectors: numbers of its sectors, of 4096 bytes, that may hold changed metadata.
    """
    current = read_current(image)
    before = replayed(image, current.header)[0] if current.has_log else image
    end = min(before.size, changed.size)
    places = (SECTOR * sector for sector in sorted(sectors) if SECTOR * (sector + 1) <= end)
    try:
        found = ((at, changed.read_at(at, SECTOR)) for at in places)
        return {at: data for at, data in found if data != before.read_at(at, SECTOR)}
    finally:
        if before is not image:
            before.close()


def log_needed(sectors: int) -> int:
    """Bytes of a log, whole MiB, that holds the entries of so many sectors, and is not full."""
    entries = -(-sectors // MOST)
    return -(-(sectors + entries + 1) * SECTOR // MIB) * MIB


def steps_of(
    image: BlockDevice,
    size: int,
    metadata: Mapping[int, bytes],
    session: Session,
    last: Last,
    raw: Sequence[Range] = (),
) -> list[Step]:
    """The steps of a commit, or of an undo.

    Args:
        image: the file as it is.
        size: bytes of the file while it is written.
        metadata: position -> bytes of its sectors of metadata that change, with any log replayed.
        session: its log must be long enough.
        last: the headers in the end.
        raw: (offset, length) of what a log that is there in the end leads to.
    """
    current = read_current(image)
    other, own = HEADERS_AT[1 - current.slot], HEADERS_AT[current.slot]
    sequence = _first_sequence(current)
    steps = list(_replay(image, current, session)) if current.has_log else []
    entries: dict[int, bytes] = {}
    if metadata:
        guid = uuid.uuid4().bytes_le
        entries = _entries(guid, metadata, session, size)
        steps += [
            Step(passing={other: session.header(sequence + 1)}),
            Step(passing=entries, is_rest=True),
            Step(passing={own: session.header(sequence + 2, guid)}),
            Step(passing=metadata) if raw else Step(tuple((at, SECTOR) for at in metadata)),
        ]
    clean = session.header(sequence + 3)
    steps.append(Step(passing={other: clean}))
    if not metadata:
        steps.append(Step(is_rest=True))
    if last.place == other:
        steps.append(Step(passing={own: session.header(sequence + 4)}))
    log = tuple((at, len(entry)) for at, entry in entries.items())
    (second,) = (at for at in HEADERS_AT if at != last.place)
    if last.headers[second] == clean:  # it is there already
        steps.append(Step(((last.place, SECTOR), (second, SECTOR), *log)))
    else:
        steps += [Step(((last.place, SECTOR), *log)), Step(((second, SECTOR),))]
    return [*steps, Step(tuple(raw))] if raw else steps


def _entries(guid: bytes, metadata: Mapping[int, bytes], session: Session, size: int) -> dict[int, bytes]:
    """Position -> bytes of the entries of a sequence that has all these sectors."""
    found: dict[int, bytes] = {}
    sectors = list(metadata.items())
    at = session.log_offset
    for number, start in enumerate(range(0, len(sectors), MOST)):
        found[at] = build_entry(guid, number + 1, 0, sectors[start : start + MOST], size, size)
        at += len(found[at])
    return found


def _replay(image: BlockDevice, current: Current, session: Session) -> Iterator[Step]:
    """The steps after which the log that the file had is empty."""
    header = current.header
    own = Session(session.file_write_guid, header.data_write_guid, header.log_offset, header.log_length)
    view, _ = replayed(image, header)
    try:
        changes = {offset: view.read_at(offset, length) for offset, length in view.changed_ranges()}
    finally:
        view.close()
    yield Step(passing={HEADERS_AT[1 - current.slot]: own.header(header.sequence + 1, header.log_guid)})
    yield Step(passing=changes)
    yield Step(passing={HEADERS_AT[current.slot]: own.header(header.sequence + 2)})
