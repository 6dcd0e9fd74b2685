"""A directory: an array of 32-byte slots, in the fixed root area or in a chain of clusters.

Source: Microsoft, fatgen103, "FAT Directory Structure".
"""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.errors import RefusedError, UsageError, in_volume
from vmrescue.fat import names
from vmrescue.fat.times import from_dos, to_dos

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from vmrescue.fat.boot_sector import BootSector
    from vmrescue.fat.table import Table
    from vmrescue.image.pending_writes import PendingWrites

SLOT_SIZE = 32
MAX_SLOTS = 65536  # a directory of 2 MiB
END, DELETED = 0x00, 0xE5  # in a slot's first byte: this and all later slots are free; this slot is free

DOT, DOT_DOT = b".          ", b"..         "

READ_ONLY, HIDDEN, SYSTEM, VOLUME_LABEL, DIRECTORY, ARCHIVE = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20

# 8.3 name; attributes; case byte; tenths, time and date of creation; date of last access; upper half of the first
# cluster; time and date of the last write; lower half; size in bytes (0 for a directory).
RECORD = struct.Struct("<11sBBBHHHHHHHI")


@dataclass(frozen=True)
class Record:
    """A file's or directory's own slot, as the disk has it. Dates and times are DOS fields."""

    short: bytes
    attributes: int
    case: int = 0
    created_tenths: int = 0
    created_time: int = 0
    created_date: int = 0
    accessed_date: int = 0
    written_time: int = 0
    written_date: int = 0
    cluster_high: int = 0  # FAT32 only; on FAT12 and FAT16, OS/2 and Windows NT keep extended attributes there
    cluster_low: int = 0
    size: int = 0

    @classmethod
    def parse(cls, slot: bytes) -> Record:
        short, attributes, case, tenths, ctime, cdate, adate, high, wtime, wdate, low, size = RECORD.unpack(slot)
        return cls(short, attributes, case, tenths, ctime, cdate, adate, wtime, wdate, high, low, size)

    def pack(self) -> bytes:
        return RECORD.pack(
            self.short,
            self.attributes,
            self.case,
            self.created_tenths,
            self.created_time,
            self.created_date,
            self.accessed_date,
            self.cluster_high,
            self.written_time,
            self.written_date,
            self.cluster_low,
            self.size,
        )

    def first_cluster(self, bits: int) -> int:
        """The cluster where the content begins, 0 if there is none. `bits`: 12, 16 or 32, of a table entry."""
        return self.cluster_low if bits < 32 else self.cluster_high << 16 | self.cluster_low

    def with_content(self, first_cluster: int, size: int, bits: int) -> Record:
        """The record with another first cluster and size in bytes."""
        high = self.cluster_high if bits < 32 else first_cluster >> 16
        return replace(self, cluster_high=high, cluster_low=first_cluster & 0xFFFF, size=size)

    def stamped_as_created(self, moment: datetime) -> Record:
        date, time, tenths = to_dos(moment)
        stamped = replace(self, created_date=date, created_time=time, created_tenths=tenths)
        return stamped.stamped_as_written(moment)

    def stamped_as_written(self, moment: datetime) -> Record:
        date, time, _ = to_dos(moment)
        attributes = self.attributes if self.attributes & DIRECTORY else self.attributes | ARCHIVE
        return replace(self, written_date=date, written_time=time, accessed_date=date, attributes=attributes)


@dataclass(frozen=True)
class FatEntry:
    """A file or directory in its directory: its record, and the slots that it and its long name fill.

    Args:
        long_name: "" if it has none.
        first_slot, last_slot: slot numbers; the last holds the record.
        first_cluster: of the content; 0 where there is none.
        position: byte of the volume where the record is.
    """

    record: Record
    long_name: str
    first_cluster: int
    first_slot: int
    last_slot: int
    position: int

    @property
    def short_name(self) -> str:
        return names.decode_short(self.record.short)

    @property
    def name(self) -> str:
        return self.long_name or names.decode_short(self.record.short, self.record.case)

    @property
    def is_directory(self) -> bool:
        return bool(self.record.attributes & DIRECTORY)

    @property
    def is_dots(self) -> bool:
        """Whether it is one of the first two entries of a directory, which name itself and its parent."""
        return self.record.short in (DOT, DOT_DOT)

    @property
    def created(self) -> datetime | None:
        return from_dos(self.record.created_date, self.record.created_time, self.record.created_tenths)

    @property
    def modified(self) -> datetime | None:
        return from_dos(self.record.written_date, self.record.written_time)

    @property
    def accessed(self) -> datetime | None:
        return from_dos(self.record.accessed_date)


def dot_entries(record: Record, parent: int, bits: int) -> bytes:
    """The slots ``.`` and ``..`` of the directory with `record`; `parent`: its parent's first cluster, 0 for a root."""
    own = replace(record, short=DOT, case=0)
    return own.pack() + replace(own.with_content(parent, 0, bits), short=DOT_DOT).pack()


class Directory:
    """The slots of one directory, read when it is opened and changed through the pending writes.

    Args:
        first_cluster: 0 for the fixed root of a FAT12 or FAT16 volume.

    Raises:
        FormatError: its chain is broken, or longer than the 2 MiB that a directory may have.
    """

    def __init__(self, pending: PendingWrites, boot: BootSector, table: Table, first_cluster: int) -> None:
        self._pending = pending
        self._boot = boot
        self._table = table
        self.first_cluster = first_cluster
        self._data = bytearray()
        self._starts: list[int] = []  # where each piece of `_piece` bytes begins, in bytes from the volume's start
        if first_cluster:
            self._piece = boot.cluster_size
            self._read_chain()
        else:
            self._piece = boot.root_entries * SLOT_SIZE
            self._starts.append(boot.root_offset)
            self._data += pending.read_at(boot.root_offset, self._piece)

    def _read_chain(self) -> None:
        for cluster, count in self._table.runs(self.first_cluster):
            start = self._boot.cluster_offset(cluster)
            if (len(self._starts) + count - 1) * self._piece > MAX_SLOTS * SLOT_SIZE:
                raise in_volume("directory", start, f"at most {MAX_SLOTS} entries", "a chain that is longer")
            self._starts += [start + number * self._piece for number in range(count)]
            self._data += self._pending.read_at(start, count * self._piece)

    def _position(self, slot: int) -> int:
        """The byte of the volume where a slot is."""
        piece, within = divmod(slot * SLOT_SIZE, self._piece)
        return self._starts[piece] + within

    def entries(self) -> Iterator[FatEntry]:
        """Files and directories, without ``.``, ``..`` and the volume's label."""
        return (
            entry for entry in self.all_entries() if not entry.is_dots and not entry.record.attributes & VOLUME_LABEL
        )

    def all_entries(self) -> Iterator[FatEntry]:
        """Every entry in use; a long name counts only if it is whole and belongs to the record after it."""
        for slots in self.groups():
            *long_slots, last = slots
            raw = self.slot(last)
            if raw[11] & 0x3F == names.LONG_NAME_ATTRIBUTES:
                continue  # a long name whose file is gone
            record = Record.parse(raw)
            long_name = names.decode_long([self.slot(slot) for slot in long_slots], record.short) or ""
            first = slots[0] if long_name else last
            yield self._entry(record, long_name, first, last)

    def groups(self) -> Iterator[list[int]]:
        """The numbers of the slots in use, a list for each record: its long-name slots, then its own."""
        group: list[int] = []
        for slot in range(len(self._data) // SLOT_SIZE):
            first, attributes = self._data[slot * SLOT_SIZE], self._data[slot * SLOT_SIZE + 11]
            if first == END:
                break
            is_long = attributes & 0x3F == names.LONG_NAME_ATTRIBUTES
            if group and (first == DELETED or (is_long and first & names.LAST_LONG)):
                yield group  # of long-name slots only
                group = []
            if first == DELETED:
                continue
            group.append(slot)
            if not is_long:
                yield group
                group = []
        if group:
            yield group

    def slot(self, number: int) -> bytes:
        return bytes(self._data[number * SLOT_SIZE : (number + 1) * SLOT_SIZE])

    def find(self, name: str) -> FatEntry | None:
        """The entry whose long or 8.3 name is `name`; None if there is none. Case matters only if several entries fit.

        Raises UsageError if several fit and none is spelled exactly so: another system, or damage, left such names.
        """
        wanted, fitting = names.fold(name), []
        for entry in self.entries():
            if entry.name == name:
                return entry
            if wanted in (names.fold(entry.name), names.fold(entry.short_name)):
                fitting.append(entry)
        if len(fitting) > 1:
            found = " or ".join(sorted(repr(entry.name) for entry in fitting))
            raise UsageError(f"{name!r} may be {found}, which differ only in case: spell it as it is")
        return fitting[0] if fitting else None

    def add(self, name: str, record: Record) -> FatEntry:
        """Adds an entry, `record` under `name`, in the first free slots; the directory grows if it must.

        The record's own 8.3 name and case byte are made from `name`. Raises RefusedError where it cannot grow.
        """
        exact = names.exact_short(name)
        short, case = exact or (names.make_short(name, self._names()), 0)
        record = replace(record, short=short, case=case)
        data = (b"" if exact else names.encode_long(name, short)) + record.pack()
        first = self._free_slots(len(data) // SLOT_SIZE)
        self._write(first, data)
        last = first + len(data) // SLOT_SIZE - 1
        return self._entry(record, "" if exact else name, first, last)

    def _entry(self, record: Record, long_name: str, first_slot: int, last_slot: int) -> FatEntry:
        first_cluster = record.first_cluster(self._boot.bits)
        return FatEntry(record, long_name, first_cluster, first_slot, last_slot, self._position(last_slot))

    def _names(self) -> set[str]:
        """All names in use, folded."""
        return {names.fold(text) for entry in self.entries() for text in (entry.name, entry.short_name)}

    def remove(self, entry: FatEntry) -> None:
        """Frees the slots of an entry and of its long name."""
        for slot in range(entry.first_slot, entry.last_slot + 1):
            self._write(slot, bytes([DELETED]) + self.slot(slot)[1:])

    def update(self, entry: FatEntry, record: Record) -> None:
        """Replaces the record of an entry."""
        self._write(entry.last_slot, record.pack())

    def _free_slots(self, count: int) -> int:
        """The number of the first of `count` free slots in a row."""
        found = 0
        for slot in range(len(self._data) // SLOT_SIZE):
            first = self._data[slot * SLOT_SIZE]
            if first == END:
                return self._claim_end(slot - found, count)
            found = found + 1 if first == DELETED else 0
            if found == count:
                return slot - count + 1
        return self._claim_end(len(self._data) // SLOT_SIZE - found, count)

    def _claim_end(self, slot: int, count: int) -> int:
        """Makes room for `count` slots at the end of the directory, from `slot` on, and marks the new end."""
        while (slot + count) * SLOT_SIZE > len(self._data):
            self._grow()
        if (slot + count) * SLOT_SIZE < len(self._data):
            self._write(slot + count, bytes(SLOT_SIZE))
        return slot

    def _grow(self) -> None:
        if self.first_cluster == 0:
            raise RefusedError(f"the root directory is full: it has {self._boot.root_entries} entries and cannot grow")
        if len(self._data) + self._piece > MAX_SLOTS * SLOT_SIZE:
            raise RefusedError(f"the directory is full: it may have {MAX_SLOTS} entries")
        last = (self._starts[-1] - self._boot.data_offset) // self._piece + 2
        runs = self._table.allocate(1, near=last + 1)
        self._table.append(last, runs)
        self._starts.append(self._boot.cluster_offset(runs[0][0]))
        self._pending.write_at(self._starts[-1], bytes(self._piece))
        self._data += bytes(self._piece)

    def _write(self, slot: int, data: bytes) -> None:
        """Changes slots from `slot` on, here and on the disk."""
        self._data[slot * SLOT_SIZE : slot * SLOT_SIZE + len(data)] = data
        for done in range(0, len(data), SLOT_SIZE):
            self._pending.write_at(self._position(slot + done // SLOT_SIZE), data[done : done + SLOT_SIZE])
