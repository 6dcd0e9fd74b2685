"""The file table, $MFT: where each file record is, and the copies of the first records in $MFTMirr."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import FormatError, in_volume
from vmrescue.ntfs.cluster_stream import ClusterStream
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.ntfs.structures.attribute_list import MAX_SIZE, read_list
from vmrescue.ntfs.structures.record import SIGNATURE, FileRecord, RecordFlag, new_record, read_record
from vmrescue.ntfs.structures.run_list import HOLE, Run, RunList
from vmrescue.ntfs.structures.system_files import MFT, MFT_MIRROR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.image.pending_writes import PendingWrites
    from vmrescue.ntfs.structures.attribute import Attribute
    from vmrescue.ntfs.structures.boot_sector import BootSector


CHUNK = 1 << 18  # bytes of the table that are read at once; copies of a MiB would be in fresh pages of memory each time
AHEAD = 8 << 20  # bytes; so many are announced while those before them are read


class FileTable:
    """Reads and writes file records.

    During an edit each record is read once and shared, so that each step sees the changes of earlier steps.

    Raises:
        FormatError: the table's own record is damaged.
    """

    def __init__(self, pending: PendingWrites, boot: BootSector) -> None:
        self._pending = pending
        self._boot = boot
        self._held: dict[int, FileRecord] | None = None
        self.load()

    def load(self) -> None:
        """Reads the table's runs from its own record. Called again when the table has grown or an edit was dropped."""
        start = self._boot.mft_cluster * self._boot.cluster_size
        data = self._pending.read_at(start, self._boot.record_size)
        base = read_record(data, MFT, start)
        first = _find(base, Kind.DATA)
        self.runs = RunList(self._extent_runs(first, 0))
        self.count = min(first.data_size, first.initialized_size) // self._boot.record_size
        self._stream = ClusterStream(self._pending, self.runs, self._boot.cluster_size)
        self._load_extents(base)
        self.runs.check_stored(first.position)
        if self.count * self._boot.record_size > self._stream.size:
            raise in_volume("$MFT", first.position + 0x30, f"at most {self._stream.size} bytes", first.data_size)

    def _load_extents(self, base: FileRecord) -> None:
        """Adds the table's runs in extension records. Each of these records is in the runs before its own."""
        found = [attribute for attribute in base.attributes if attribute.kind == Kind.ATTRIBUTE_LIST]
        if not found:
            return
        lines = [line for line in read_list(self._list_value(found[0]), found[0].position) if line.kind == Kind.DATA]
        for line in sorted(lines, key=lambda line: line.lowest_vcn):
            if not line.name and line.record != MFT:
                extent = _find(self.read(line.record), Kind.DATA, line.number)
                for run in self._extent_runs(extent, self.runs.clusters):
                    self.runs.append(run.lcn, run.length)

    def _list_value(self, attribute: Attribute) -> bytes:
        if not attribute.non_resident:
            return attribute.value
        runs = RunList(attribute.runs(self._boot.cluster_count))
        stream = ClusterStream(self._pending, runs, self._boot.cluster_size)
        if attribute.data_size > MAX_SIZE:
            raise in_volume("$MFT attribute list", attribute.position, f"at most {MAX_SIZE} bytes", attribute.data_size)
        return stream.read_at(0, attribute.data_size)

    def _extent_runs(self, attribute: Attribute, first_vcn: int) -> list[Run]:
        if not attribute.non_resident or attribute.lowest_vcn != first_vcn:
            raise in_volume(
                "$MFT", attribute.position, f"clusters of the table from {first_vcn} on", attribute.lowest_vcn
            )
        runs = attribute.runs(self._boot.cluster_count)
        if any(run.lcn == HOLE for run in runs):
            raise in_volume("$MFT", attribute.position, "clusters for the whole table", "a hole")
        return runs

    def position(self, number: int) -> int:
        """Where a record begins, in bytes from the volume's start."""
        if not 0 <= number < self.count:
            raise in_volume("file reference", None, f"a record below {self.count}", number)
        return self._stream.position(number * self._boot.record_size)

    def read(self, number: int) -> FileRecord:
        """A record with the pending changes of the edit, as an object of its own: changes of it are not written."""
        position = self.position(number)
        return read_record(self._raw(number), number, position)

    def _raw(self, number: int) -> bytes:
        return self.raw(range(number, number + 1))

    def raw(self, numbers: range) -> bytes:
        """The bytes of these records, as they are on the volume and with the pending changes of the edit."""
        size = self._boot.record_size
        return self._stream.read_at(numbers.start * size, len(numbers) * size)

    def record(self, number: int) -> FileRecord:
        """A record. During an edit always the same object, and changes of it are written."""
        if self._held is None:
            return self.read(number)
        if number not in self._held:
            self._held[number] = self.read(number)
        return self._held[number]

    def used(self, number: int) -> FileRecord | None:
        """A record in use, as it is on the volume; None if it is free or was never written."""
        position, raw = self.position(number), self._raw(number)
        if raw[:4] != SIGNATURE:
            return None
        record = read_record(raw, number, position)
        return record if record.in_use else None

    def written(self) -> Iterator[range]:
        """The numbers of all records, in ranges, except in parts of the image that were never written."""
        size, cluster = self._boot.record_size, self._boot.cluster_size
        done = announced = 0
        for run in self.runs:
            at, end = run.vcn * cluster, min(run.next_vcn * cluster, self.count * size)
            shift = run.lcn * cluster - at
            while (at := max(at, self._pending.next_data(at + shift) - shift)) < end:
                stop = min(at + CHUNK, end)
                if announced < stop:
                    announced = at + AHEAD
                    self._stream.prefetch(at, 2 * AHEAD)
                if numbers := range(max(done, at // size), -(-stop // size)):
                    yield numbers
                done, at = numbers.stop, stop

    def is_free(self, number: int) -> bool:
        """Whether no file has a record. One that was never written is free; one that cannot be read is not."""
        if self._held is not None and number in self._held:
            return not self._held[number].in_use
        try:
            return not self.read(number).in_use
        except FormatError:
            return self._raw(number)[:4] != SIGNATURE

    def create(self, number: int) -> FileRecord:
        """Makes a free record an empty record in use. Only during an edit."""
        assert self._held is not None
        old = self._held.get(number)
        if old is None and self._raw(number)[:4] == SIGNATURE:
            old = self.read(number)
        sequence, updates = (old.sequence, old.updates) if old else (1, 0)
        record = new_record(self._boot.record_size, number, self.position(number), sequence, updates)
        record.flags = RecordFlag.IN_USE
        self._held[number] = record
        return record

    def refresh(self, runs: RunList, size: int) -> None:
        """Takes new runs and a new size in bytes, when the table was moved or has grown."""
        self.runs = runs
        self.count = size // self._boot.record_size
        self._stream = ClusterStream(self._pending, self.runs, self._boot.cluster_size)

    def blank(self, numbers: range) -> None:
        """Writes new records that no file has yet."""
        size = self._boot.record_size
        for number in numbers:
            record = new_record(size, number, self.position(number))
            self._stream.write_at(number * size, record.protected())

    def begin(self) -> None:
        """Begins an edit: records are shared from now on."""
        self._held = {}

    def store(self) -> None:
        """Gives all changed records to the pending writes, the first ones also for $MFTMirr."""
        changed = [record for record in (self._held or {}).values() if record.changed]
        if not changed:
            return
        mirror, mirror_size = self.mirror()
        for record in changed:
            data = record.protected()
            offset = record.number * self._boot.record_size
            self._stream.write_at(offset, data)
            if offset + len(data) <= mirror_size:
                mirror.write_at(offset, data)

    def end(self) -> None:
        """Ends the edit, complete or dropped."""
        self._held = None

    def mirror(self) -> tuple[ClusterStream, int]:
        """The copies of the first records, as (stream, size in bytes)."""
        data = _find(self.record(MFT_MIRROR), Kind.DATA)
        stream = ClusterStream(self._pending, RunList(data.runs(self._boot.cluster_count)), self._boot.cluster_size)
        if data.data_size > stream.size:
            raise in_volume("$MFTMirr", data.position + 0x30, f"at most {stream.size} bytes", data.data_size)
        return stream, data.data_size


def _find(record: FileRecord, kind: Kind, number: int | None = None) -> Attribute:
    for attribute in record.attributes:
        if attribute.kind == kind and not attribute.name and number in (None, attribute.number):
            return attribute
    raise in_volume(record.title, record.position, f"an unnamed attribute of type {kind:#x}", "none")
