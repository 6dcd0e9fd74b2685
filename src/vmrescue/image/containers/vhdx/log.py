"""The log of a VHDX: finding what was left in it, replaying that, and building new entries ([MS-VHDX] 2.3).

The log is a ring of entries. An entry is a list of writes of 4096-byte sectors of metadata; the newest entry says where
the oldest one begins that may not have reached its place. These two and all between them are the active sequence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.errors import FormatError, UnsupportedError
from vmrescue.image.containers.vhdx.layout import (
    DATA_DESCRIPTOR,
    DATA_HEAD,
    DATA_SIGNATURE,
    DATA_TAIL,
    DESCRIPTOR,
    LOG_HEAD,
    LOG_SIGNATURE,
    REGION_TABLES_AT,
    SECTOR,
    ZERO_DESCRIPTOR,
    LogHead,
    checksum,
    sealed,
)
from vmrescue.image.overlay import Overlay

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vmrescue.device import BlockDevice, Readable
    from vmrescue.image.containers.vhdx.layout import Header

LONGEST = 256 << 20  # bytes of a log that is replayed; Hyper-V's and QEMU's have 1 MiB
MOST_ZEROS = 256 << 20  # bytes that the descriptors of a log may zero inside the file
MOST_CHECKED = 16  # times the log's length: bytes whose checksums are computed, so that no log takes long
LARGEST_FILE = 128 << 40  # bytes; twice the largest disk
PIECE = 1 << 20  # bytes zeroed at a time


@dataclass(frozen=True)
class Entry:
    """A sound entry; `at` is where it begins, in bytes of the log."""

    at: int
    head: LogHead


@dataclass(frozen=True)
class Write:
    """A write that an entry asks for: `data`, or zeros if that is None."""

    offset: int
    length: int
    data: bytes | None


class Log:
    """The log of a file whose current header is given. Raises UnsupportedError if it is too long."""

    def __init__(self, store: Readable, header: Header) -> None:
        if header.log_length > LONGEST:
            raise UnsupportedError(f"the VHDX's log has {header.log_length} bytes; {LONGEST} are supported")
        self._store = store
        self._at = header.log_offset
        self._length = header.log_length
        self._guid = header.log_guid
        self._known: dict[int, Entry | None] = {}
        self._checked = 0

    def active(self) -> list[Entry]:
        """The active sequence, oldest entry first (2.3.3). Raises FormatError if there is none, or the file was cut."""
        best: list[Entry] = []
        hopeless: set[int] = set()  # places of entries whose sequence lacks its oldest entry
        start = 0
        while True:
            sequence = [] if start in hopeless else self._sequence(start)
            places = [entry.at for entry in sequence]
            if sequence and (tail := sequence[-1].head.tail) in places:
                if not best or sequence[-1].head.sequence > best[-1].head.sequence:
                    best = sequence[places.index(tail) :]
                following = self._end(sequence[-1])
            else:
                hopeless.update(places)
                following = (start + SECTOR) % self._length
            if following <= start:
                break
            start = following
        if not best:
            raise FormatError("VHDX log", self._at, "a whole sequence of entries: the header says that one is there")
        if self._store.size < best[-1].head.flushed_size:
            expected = f"a file of {best[-1].head.flushed_size} bytes, as it was when the log was written"
            raise FormatError("VHDX log", self._at + best[-1].at, expected, self._store.size, beyond=True)
        return best

    def writes(self, entry: Entry) -> Iterator[Write]:
        """The writes that an entry asks for, in order."""
        raw = self._read(entry.at, entry.head.length)
        data_at = _descriptor_bytes(entry.head.descriptors)
        for at in _descriptor_places(entry.head.descriptors):
            signature, trailing, leading, offset, _ = DESCRIPTOR.unpack_from(raw, at)
            if signature == ZERO_DESCRIPTOR:
                yield Write(offset, int.from_bytes(leading, "little"), None)
            else:
                middle = raw[data_at + DATA_HEAD.size : data_at + SECTOR - DATA_TAIL.size]
                yield Write(offset, SECTOR, leading + middle + trailing)
                data_at += SECTOR

    def _sequence(self, start: int) -> list[Entry]:
        """Entries that follow each other from `start`, each with the next sequence number."""
        found: list[Entry] = []
        while (entry := self._entry(start)) is not None and (
            not found or entry.head.sequence == found[-1].head.sequence + 1
        ):
            found.append(entry)
            start = self._end(entry)
        return found

    def _end(self, entry: Entry) -> int:
        return (entry.at + entry.head.length) % self._length

    def _entry(self, at: int) -> Entry | None:
        if at not in self._known:
            self._known[at] = self._parse(at)
        return self._known[at]

    def _parse(self, at: int) -> Entry | None:
        """The entry at a place in the log; None if none is there, or it is not sound."""
        head = LogHead(*LOG_HEAD.unpack(self._store.read_at(self._at + at, LOG_HEAD.size)))
        least = _descriptor_bytes(head.descriptors)
        if (
            head.signature != LOG_SIGNATURE
            or head.guid != self._guid
            or head.length % SECTOR
            or not least <= head.length <= self._length
            or head.tail % SECTOR
            or head.tail >= self._length
            or not head.sequence
        ):
            return None
        self._checked += head.length
        if self._checked > MOST_CHECKED * self._length:
            raise FormatError("VHDX log", self._at + at, "entries that do not overlap")
        raw = self._read(at, head.length)
        sound = checksum(raw) == head.checksum and _are_descriptors_sound(raw, head)
        return Entry(at, head) if sound else None

    def _read(self, at: int, length: int) -> bytes:
        """Bytes of the ring."""
        first = min(length, self._length - at)
        data = self._store.read_at(self._at + at, first)
        return data + self._store.read_at(self._at, length - first) if first < length else data


def _descriptor_places(count: int) -> Iterator[int]:
    """Where descriptors are in their entry: they follow the header, and never cross sectors."""
    return (LOG_HEAD.size + number * DESCRIPTOR.size for number in range(count))


def _descriptor_bytes(count: int) -> int:
    """Bytes of the sectors with the header and the descriptors."""
    return -(-(LOG_HEAD.size + count * DESCRIPTOR.size) // SECTOR) * SECTOR


def _are_descriptors_sound(raw: bytes, head: LogHead) -> bool:
    """Whether all descriptors and data sectors of an entry belong to it, and name places for whole sectors."""
    data_at = _descriptor_bytes(head.descriptors)
    for at in _descriptor_places(head.descriptors):
        signature, _, leading, offset, sequence = DESCRIPTOR.unpack_from(raw, at)
        if sequence != head.sequence or offset % SECTOR:
            return False
        if signature == ZERO_DESCRIPTOR:
            if int.from_bytes(leading, "little") % SECTOR:
                return False
        elif signature != DATA_DESCRIPTOR or not _is_data_sector(raw[data_at : data_at + SECTOR], head.sequence):
            return False
        else:
            data_at += SECTOR
    return True


def _is_data_sector(raw: bytes, sequence: int) -> bool:
    if len(raw) < SECTOR:
        return False
    signature, high = DATA_HEAD.unpack_from(raw)
    (low,) = DATA_TAIL.unpack_from(raw, SECTOR - DATA_TAIL.size)
    return bool(signature == DATA_SIGNATURE and (high << 32 | low) == sequence)


def replayed(store: BlockDevice, header: Header) -> tuple[Overlay, int]:
    """A view of the file in which the log was replayed, and how many entries were; the file stays as it is.

    Raises:
        FormatError: the log has no whole sequence, or asks for what no log may.
        UnsupportedError: the log is too long, or zeros too much.
    """
    log = Log(store, header)
    entries = log.active()
    view = Overlay(store)
    try:
        zeros = 0
        for entry in entries:
            for write in log.writes(entry):
                zeros += write.length if write.data is None else 0
                _apply(view, write, header.log_offset + entry.at, zeros)
        if entries[-1].head.last_size > LARGEST_FILE:
            raise FormatError("VHDX log", header.log_offset + entries[-1].at, "a file of up to 128 TiB", "a longer one")
        view.resize(max(view.size, entries[-1].head.last_size))
    except BaseException:
        view.close()
        raise
    return view, len(entries)


def _apply(view: Overlay, write: Write, position: int, zeros: int) -> None:
    end = write.offset + write.length
    if write.offset < REGION_TABLES_AT[0] or end > LARGEST_FILE:
        raise FormatError("VHDX log", position, "writes behind the headers, up to 128 TiB", f"one at {write.offset}")
    before = view.size
    view.resize(max(before, end))
    if write.data is not None:
        view.write_at(write.offset, write.data)
        return
    if zeros > MOST_ZEROS:
        raise UnsupportedError(f"the VHDX's log zeroes {zeros} bytes; {MOST_ZEROS} are supported")
    for at in range(write.offset, min(end, before), PIECE):
        length = min(PIECE, end - at, before - at)
        if any(view.read_at(at, length)):
            view.write_at(at, bytes(length))


def build_entry(
    guid: bytes, sequence: int, tail: int, sectors: Sequence[tuple[int, bytes]], flushed_size: int, last_size: int
) -> bytes:
    """The bytes of an entry.

    Args:
        guid: the log's id, as it will be in the header.
        tail: where the first entry of its sequence begins, in bytes of the log.
        sectors: (position in the file, 4096 bytes) of each write.
        flushed_size, last_size: bytes that the file has on stable storage, and needs: whole MiB.
    """
    size = _descriptor_bytes(len(sectors))
    head = LogHead(
        LOG_SIGNATURE, 0, size + len(sectors) * SECTOR, tail, sequence, len(sectors), guid, flushed_size, last_size
    )
    descriptors = [
        DESCRIPTOR.pack(DATA_DESCRIPTOR, data[SECTOR - 4 :], data[:8], offset, sequence) for offset, data in sectors
    ]
    high, low = divmod(sequence, 1 << 32)
    bodies = [DATA_HEAD.pack(DATA_SIGNATURE, high) + data[8 : SECTOR - 4] + DATA_TAIL.pack(low) for _, data in sectors]
    first = (LOG_HEAD.pack(*head) + b"".join(descriptors)).ljust(size, b"\0")
    return sealed(first + b"".join(bodies))
