"""A FAT12, FAT16 or FAT32 volume: its files, read and edited.

Invariants of every edit:
1. It is worked out in memory first. An edit that fails (no space, a bad name, a broken chain) writes nothing.
2. Then content is written, to clusters that the file owns or that are free. Tables, FSInfo and directories come last.
3. Only sectors whose bytes change are written. Content of the same size changes no metadata, not even the times.
4. All copies of the table that are in use are changed alike.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from vmrescue import file_path
from vmrescue.arguments import typed
from vmrescue.dataclass import dataclass
from vmrescue.device import Held
from vmrescue.errors import NotFoundError, RefusedError, UsageError, in_volume
from vmrescue.fat import directory as slots
from vmrescue.fat.boot_sector import read_boot_sector
from vmrescue.fat.check import check_volume, crossings
from vmrescue.fat.directory import Directory, Record
from vmrescue.fat.info_sector import UNKNOWN, Info, read_info, write_info
from vmrescue.fat.names import check_name
from vmrescue.fat.state import read_state
from vmrescue.fat.table import Table, after_clusters, first_clusters
from vmrescue.image.pending_writes import PendingWrites, write_differing
from vmrescue.printable import quoted
from vmrescue.units import counted
from vmrescue.volume.state import StateName

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmrescue.device import BlockDevice, Readable
    from vmrescue.fat.directory import FatEntry
    from vmrescue.fat.table import Chain
    from vmrescue.volume.state import VolumeState

MAX_FILE = 0xFFFFFFFF

Extents = list[tuple[int, int, int]]


@dataclass(frozen=True)
class FileInfo:
    """What a directory says of a file. Times are as stored, without a time zone; None if none is stored."""

    name: str
    short_name: str
    is_directory: bool
    size: int
    attributes: int
    created: datetime | None
    modified: datetime | None
    accessed: datetime | None


@typed
class FatVolume:
    """A FAT volume on a device. Paths use ``\\`` or ``/`` from the root and find names in any case, long or 8.3.

    Its methods raise NotFoundError for a path that is not there, UsageError for a name that no file can have,
    RefusedError for an edit that cannot be done (no space, not empty, already there), and FormatError for broken
    structures. Memory: the used parts of the table, and the directories and files that are named.

    Raises:
        FormatError: there is no sound FAT boot sector at byte 0, or the volume is longer than the device.
    """

    def __init__(self, device: BlockDevice) -> None:
        self._device = device
        self._boot = read_boot_sector(device)
        self._pending = PendingWrites(device, self._boot.sector_size)
        self._info = read_info(self._pending, self._boot)
        self._table = Table(self._pending, self._boot, first_free=self._info.next_free if self._info else 2)

    @property
    def kind(self) -> str:
        """``"FAT12"``, ``"FAT16"`` or ``"FAT32"``."""
        return self._boot.kind

    @property
    def cluster_size(self) -> int:
        """Bytes of a cluster."""
        return self._boot.cluster_size

    @property
    def cluster_count(self) -> int:
        return self._boot.cluster_count

    @property
    def free_clusters(self) -> int:
        """The number of free clusters as counted in the table; FSInfo may say another."""
        return self._table.free_count

    @property
    def noted_free_clusters(self) -> int | None:
        """The number of free clusters that FSInfo noted when the volume was opened. Saves reading the whole table.

        None if the volume was not dismounted cleanly, or FSInfo has no number or an impossible one.
        """
        noted = self._info.free_count if self._info and self.state.name is StateName.CLEAN else UNKNOWN
        return noted if noted <= self.cluster_count else None

    @cached_property
    def state(self) -> VolumeState:
        """Whether the volume was dismounted cleanly."""
        return read_state(self._boot, self._table)

    def check(self) -> list[str]:
        """What is wrong with the volume, in sentences; a `Note` does not stop an edit. Reads all directories."""
        return check_volume(self._pending, self._boot, self._table)

    def exists(self, path: str) -> bool:
        try:
            self.stat(path)
        except NotFoundError:
            return False
        return True

    def stat(self, path: str) -> FileInfo:
        """What the directory says of a file or directory."""
        if not file_path.split(path):
            return FileInfo("", "", True, 0, slots.DIRECTORY, None, None, None)
        return _describe(self._find(path)[1])

    def list(self, path: str = "") -> list[FileInfo]:
        """The files and directories in a directory, in the order of the disk."""
        return [_describe(entry) for entry in self._open_directory(path).entries()]

    def read_file(self, path: str) -> bytes:
        """A file's content, as bytes in memory."""
        _, entry = self._find_file(path)
        parts, left = [], entry.record.size
        for cluster, count in self._content_runs(entry):
            length = min(left, count * self.cluster_size)
            parts.append(self._device.read_at(self._boot.cluster_offset(cluster), length))
            left -= length
        return b"".join(parts)

    def file_extents(self, path: str) -> Extents:
        """Where a file's or directory's content is: (cluster of the file, cluster of the volume, number of clusters).

        Clusters of the file count from 0, those of the volume from 2. Empty for a fixed root directory.
        """
        first = self._find(path)[1].first_cluster if file_path.split(path) else self._boot.root_cluster
        extents, position = [], 0
        for cluster, count in self._table.runs(first) if first else ():
            extents.append((position, cluster, count))
            position += count
        return extents

    def cluster_offset(self, cluster: int) -> int:
        """Where a cluster of the volume (counted from 2) begins, in bytes from the volume's start."""
        return self._boot.cluster_offset(cluster)

    def open_file(self, path: str) -> Readable:
        """A file's content, read from the volume as it is asked for."""
        return Held(self.read_file(path), path)

    def write_parts(self, path: str, parts: Iterable[tuple[int, bytes]]) -> None:
        """Replaces bytes of a file's content: (offset in the file, bytes), all inside its size."""
        content = bytearray(self.read_file(path))
        for at, data in parts:
            content[at : at + len(data)] = data
        self.write_file(path, bytes(content))

    def write_file(self, path: str, data: bytes) -> None:
        """Replaces a file's content.

        Content of the same size is written in place, only the sectors that differ. Otherwise the file grows or shrinks,
        and its time of last write is set.
        """
        directory, entry = self._find_file(path)
        if len(data) == entry.record.size:
            runs = self._content_runs(entry)
            self._check_owned(path, entry)
            self._write_content(runs, data)
            return
        with self._edit():
            runs = self._resize(entry, self._clusters_for(data))
            first = runs[0][0] if runs else 0
            record = entry.record.with_content(first, len(data), self._boot.bits).stamped_as_written(_now())
            directory.update(entry, record)
            self._write_content(runs, data)

    def _check_owned(self, path: str, entry: FatEntry) -> None:
        """Raises RefusedError if another file has clusters of this one too. Reads all directories."""
        found = crossings(self._pending, self._boot, self._table)
        for first, count in self._all_runs(entry):
            for cluster in found.keys() & range(first, first + count):
                raise RefusedError(f"{quoted(path)} shares clusters: {found[cluster]}; its content is not replaced")

    def create_file(self, path: str, data: bytes) -> None:
        """Creates a file."""
        with self._edit():
            directory, name = self._place_for(path)
            runs = self._table.allocate(count) if (count := self._clusters_for(data)) else []
            record = Record(b"", slots.ARCHIVE).stamped_as_created(_now())
            directory.add(name, record.with_content(runs[0][0] if runs else 0, len(data), self._boot.bits))
            self._write_content(runs, data)

    def create_directory(self, path: str) -> None:
        """Creates an empty directory; its parent must exist."""
        with self._edit():
            parent, name = self._place_for(path)
            cluster = self._table.allocate(1)[0][0]
            record = Record(b"", slots.DIRECTORY).stamped_as_created(_now())
            record = record.with_content(cluster, 0, self._boot.bits)
            parent.add(name, record)
            above = 0 if parent.first_cluster == self._boot.root_cluster else parent.first_cluster
            dots = slots.dot_entries(record, above, self._boot.bits)
            self._pending.write_at(self._boot.cluster_offset(cluster), dots.ljust(self.cluster_size, b"\0"))

    def delete(self, *paths: str) -> None:
        """Removes files or empty directories, all or none; their clusters become free, their bytes stay."""
        with self._edit():
            for path in paths:
                directory, entry = self._find(path)
                if entry.is_directory and next(self._directory(entry).entries(), None):
                    raise RefusedError(f"the directory {quoted(path)} is not empty")
                self._table.cut(0, self._all_runs(entry))
                directory.remove(entry)

    def rename(self, path: str, name: str) -> None:
        """Gives a file or directory another name in the same directory."""
        check_name(name)
        with self._edit():
            directory, entry = self._find(path)
            other = directory.find(name)
            if other and other.last_slot != entry.last_slot:
                raise RefusedError(f"there already is a {name!r} beside {quoted(path)}")
            directory.remove(entry)
            directory.add(name, entry.record)

    def set_attributes(self, path: str, attributes: int, mask: int) -> None:
        """Sets those attributes of a file or directory that `mask` has: Windows' own bits."""
        with self._edit():
            directory, entry = self._find(path)
            record = replace(entry.record, attributes=entry.record.attributes & ~mask | attributes & mask)
            directory.update(entry, record)

    @contextmanager
    def _edit(self) -> Iterator[None]:
        """Writes what the body changed when it ends; nothing if it raises."""
        if self._boot.active_table is not None:
            raise RefusedError(
                f"the {self.kind} volume keeps only one of its allocation tables (mirroring is off), and its readers "
                "differ in which one they go by: no file on it is created, deleted or resized"
            )
        try:
            yield
            if self._table.changed:
                write_info(self._pending, self._boot, Info(self._table.free_count, self._table.next_free))
            self._table.store()
            self._pending.commit()
        except BaseException:
            self._table.drop()
            self._pending.drop()
            raise

    def _directory(self, entry: FatEntry) -> Directory:
        if not self._boot.is_cluster(entry.first_cluster):
            raise in_volume("directory entry", entry.position, "a directory's first cluster", entry.first_cluster)
        return Directory(self._pending, self._boot, self._table, entry.first_cluster)

    def _open_directory(self, path: str) -> Directory:
        """The directory at a path; every name in the path must be a directory's."""
        directory = Directory(self._pending, self._boot, self._table, self._boot.root_cluster)
        for part in file_path.split(path):
            entry = directory.find(part)
            if entry is None:
                looking = "" if part == path else f", looking for {path}"
                raise NotFoundError(f"there is no folder {part!r} on the {self.kind} volume{looking}")
            if not entry.is_directory:
                raise NotFoundError(f"{part!r} is a file, not a directory, looking for {quoted(path)}")
            directory = self._directory(entry)
        return directory

    def _find(self, path: str) -> tuple[Directory, FatEntry]:
        """The entry at a path, and the directory that it is in."""
        *parents, name = file_path.split(path) or [""]
        if not name:
            raise UsageError("this cannot be done to the root directory")
        directory = self._open_directory("/".join(parents))
        entry = directory.find(name)
        if entry is None:
            raise NotFoundError(f"there is no {quoted(path)} on the {self.kind} volume")
        return directory, entry

    def _find_file(self, path: str) -> tuple[Directory, FatEntry]:
        directory, entry = self._find(path)
        if entry.is_directory:
            raise RefusedError(f"{quoted(path)} is a directory, not a file")
        return directory, entry

    def _place_for(self, path: str) -> tuple[Directory, str]:
        """The directory in which a new entry is to be, and its name, which is free."""
        *parents, name = file_path.split(path) or [""]
        check_name(name)
        directory = self._open_directory("/".join(parents))
        if directory.find(name):
            raise RefusedError(f"there already is a {quoted(path)}")
        return directory, name

    def _clusters_for(self, data: bytes) -> int:
        if len(data) > MAX_FILE:
            raise RefusedError(f"a file on FAT has at most {MAX_FILE} bytes, not {len(data)}")
        return -(-len(data) // self.cluster_size)

    def _all_runs(self, entry: FatEntry) -> Chain:
        """All clusters of the entry, also those beyond its content."""
        if entry.first_cluster == 0 and not entry.record.size:
            return []
        return list(self._table.runs(entry.first_cluster))

    def _content_runs(self, entry: FatEntry) -> Chain:
        """The clusters that hold the file's content. Raises FormatError if there are too few for its size."""
        needed = -(-entry.record.size // self.cluster_size)
        runs = first_clusters(self._table.runs(entry.first_cluster), needed) if needed else []
        if (found := sum(count for _, count in runs)) < needed:
            expected = f"{counted(needed, 'cluster')} for the file's {counted(entry.record.size, 'byte')}"
            raise in_volume("directory entry", entry.position, expected, f"a chain of {found}")
        return runs

    def _resize(self, entry: FatEntry, wanted: int) -> Chain:
        """Makes the file's chain `wanted` clusters long; returns it."""
        runs = self._all_runs(entry)
        have = sum(count for _, count in runs)
        last = runs[-1][0] + runs[-1][1] - 1 if runs else 0
        if wanted > have:
            added = self._table.allocate(wanted - have, near=last + 1)
            if last:
                self._table.append(last, added)
            return runs + added
        kept = first_clusters(runs, wanted)
        if wanted < have:
            last = kept[-1][0] + kept[-1][1] - 1 if kept else 0
            self._table.cut(last, after_clusters(runs, wanted))
        return kept

    def _write_content(self, runs: Chain, data: bytes) -> None:
        view = memoryview(data)
        for cluster, count in runs:
            length = min(len(view), count * self.cluster_size)
            write_differing(self._device, self._boot.cluster_offset(cluster), view[:length], self._boot.sector_size)
            view = view[length:]


def _now() -> datetime:
    """FAT stores no time zone. We write UTC, as Azure's machines and UEFI firmware do."""
    return datetime.now(UTC)


def _describe(entry: FatEntry) -> FileInfo:
    record = entry.record
    return FileInfo(
        name=entry.name,
        short_name=entry.short_name,
        is_directory=entry.is_directory,
        size=record.size,
        attributes=record.attributes,
        created=entry.created,
        modified=entry.modified,
        accessed=entry.accessed,
    )
