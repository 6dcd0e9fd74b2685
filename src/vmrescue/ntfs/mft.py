"""The file table, $MFT: where each file record is, and its first records' copies in $MFTMirr."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import FormatError
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


CHUNK = 1 << 18  # bytes of the table looked at together


class FileTable:
    """Reads and writes file records.

    During an edit each record is read once and shared: what one step changes, the next one sees.

    Raises:
        FormatError: the table's own record is not sound.
    """

    def __init__(self, pending: PendingWrites, boot: BootSector) -> None:
        self._pending = pending
        self._boot = boot
        self._held: dict[int, FileRecord] | None = None
        self.load()

    def load(self) -> None:
        """Finds the table, from its own record; afresh, where the table has grown or an edit was dropped."""
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
            raise FormatError("$MFT", first.position + 0x30, f"at most {self._stream.size} bytes", first.data_size)

    def _load_extents(self, base: FileRecord) -> None:
        """The table's further runs, each of whose records lies in the runs before it."""
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
            raise FormatError(
                "$MFT attribute list", attribute.position, f"at most {MAX_SIZE} bytes", attribute.data_size
            )
        return stream.read_at(0, attribute.data_size)

    def _extent_runs(self, attribute: Attribute, first_vcn: int) -> list[Run]:
        if not attribute.non_resident or attribute.lowest_vcn != first_vcn:
            raise FormatError(
                "$MFT", attribute.position, f"clusters of the table from {first_vcn} on", attribute.lowest_vcn
            )
        runs = attribute.runs(self._boot.cluster_count)
        if any(run.lcn == HOLE for run in runs):
            raise FormatError("$MFT", attribute.position, "clusters for the whole table", "a hole")
        return runs

    def position(self, number: int) -> int:
        """The byte of the volume where a record begins."""
        if not 0 <= number < self.count:
            raise FormatError("file reference", None, f"a record below {self.count}", number)
        return self._stream.position(number * self._boot.record_size)

    def read(self, number: int) -> FileRecord:
        """A record as it will be once the edit under way is complete; changing this object changes nothing else."""
        position = self.position(number)
        return read_record(self._raw(number), number, position)

    def _raw(self, number: int) -> bytes:
        return self._stream.read_at(number * self._boot.record_size, self._boot.record_size)

    def record(self, number: int) -> FileRecord:
        """A record; during an edit always the same object, and what is changed in it will be written."""
        if self._held is None:
            return self.read(number)
        if number not in self._held:
            self._held[number] = self.read(number)
        return self._held[number]

    def used(self, number: int) -> FileRecord | None:
        """A record that a file has, as it is on the volume; None for one that is free, or never was a record."""
        position, raw = self.position(number), self._raw(number)
        if raw[:4] != SIGNATURE:
            return None
        record = read_record(raw, number, position)
        return record if record.in_use else None

    def written(self) -> Iterator[range]:
        """The numbers of all records, in ranges, but for those in parts of the image that were never written."""
        size, cluster = self._boot.record_size, self._boot.cluster_size
        done = 0
        for run in self.runs:
            at, end = run.vcn * cluster, min(run.next_vcn * cluster, self.count * size)
            shift = run.lcn * cluster - at
            while (at := max(at, self._pending.next_data(at + shift) - shift)) < end:
                stop = min(at + CHUNK, end)
                if numbers := range(max(done, at // size), -(-stop // size)):
                    yield numbers
                done, at = numbers.stop, stop

    def is_free(self, number: int) -> bool:
        """Whether no file has a record, as far as it can be read; what never was a record is free."""
        if self._held is not None and number in self._held:
            return not self._held[number].in_use
        try:
            return not self.read(number).in_use
        except FormatError:
            return self._raw(number)[:4] != SIGNATURE

    def create(self, number: int) -> FileRecord:
        """An empty record in use, in the place of one that was free; only during an edit."""
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
        """The table lies elsewhere, or is longer: its runs, and its bytes."""
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
        """An edit begins: records are shared from now on."""
        self._held = {}

    def store(self) -> None:
        """Hands all changed records on to be written, the first ones twice."""
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
        """The edit is complete, or dropped."""
        self._held = None

    def mirror(self) -> tuple[ClusterStream, int]:
        """The copies of the first records, and how many bytes they are."""
        data = _find(self.record(MFT_MIRROR), Kind.DATA)
        stream = ClusterStream(self._pending, RunList(data.runs(self._boot.cluster_count)), self._boot.cluster_size)
        if data.data_size > stream.size:
            raise FormatError("$MFTMirr", data.position + 0x30, f"at most {stream.size} bytes", data.data_size)
        return stream, data.data_size


def _find(record: FileRecord, kind: Kind, number: int | None = None) -> Attribute:
    for attribute in record.attributes:
        if attribute.kind == kind and not attribute.name and number in (None, attribute.number):
            return attribute
    raise FormatError(record.title, record.position, f"an unnamed attribute of type {kind:#x}", "none")
