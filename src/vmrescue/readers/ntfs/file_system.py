"""Reads files from NTFS volumes through dissect.ntfs."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cached_property, partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast

from dissect.ntfs.c_ntfs import ATTRIBUTE_TYPE_CODE

from vmrescue import file_path
from vmrescue.device import prefetch
from vmrescue.errors import NotFoundError, UnsupportedError, VmRescueError
from vmrescue.readers.file_system import CHUNK, Entry, flags_of, head_of_stream
from vmrescue.readers.free_space import FreeSpace, free_space
from vmrescue.readers.guard import GuardedStream, reading
from vmrescue.readers.nature import Nature
from vmrescue.readers.ntfs.ahead import Ahead
from vmrescue.readers.ntfs.content import content_of
from vmrescue.readers.ntfs.head import head_of
from vmrescue.readers.ntfs.index import DirectoryIndex, number_of
from vmrescue.readers.ntfs.listing import described
from vmrescue.readers.ntfs.log import why_not_closed
from vmrescue.readers.ntfs.marks import marks_of, packed_form, standard_of, storage_of, why_not_read
from vmrescue.readers.ntfs.standard import DATA_PACKED, DATA_SPARSE
from vmrescue.readers.ntfs.volume import BoundedNtfs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmrescue.device import BlockDevice
    from vmrescue.readers.file_system import Wanted
    from vmrescue.readers.ntfs.index import IndexEntry

LOG_RECORD, BITMAP_RECORD, BAD_CLUSTERS_RECORD = 2, 6, 8  # records of $LogFile, $Bitmap, $BadClus
BAD_STREAM = "$Bad"  # as long as the volume; the clusters that it stores are the bad ones
ROOT_RECORD, FIRST_USER_RECORD = 5, 24  # records before FIRST_USER_RECORD, except the root, are NTFS's own files
INDEXES_KEPT = 8  # indexes of directories kept in memory
SPACE_AT, DOS_NAME = 0x41, 2  # $FILE_NAME's field for the name space; the name space of short names


class Extent(NamedTuple):
    """A volume's length.

    Attributes:
        size: bytes, without the boot sector's copy after them.
        sector_size: bytes of a sector.
        clusters: number of clusters.
        bad_bytes: size of $BadClus:$Bad.
        bitmap_bytes: size of $Bitmap.
        clear_behind: number of clear bits in $Bitmap after the last cluster's.
    """

    size: int
    sector_size: int
    clusters: int
    bad_bytes: int
    bitmap_bytes: int
    clear_behind: int


class NtfsFileSystem:
    """An NTFS volume. Reparse points are not followed: outside of its Windows their targets may be something else."""

    def __init__(self, device: BlockDevice, position: int) -> None:
        self._position = position
        self._volume_size = device.size
        self._directories: dict[str, Any] = {}  # path as it was asked for -> record
        self._spelled: dict[str, tuple[str, Any]] = {}  # the same -> (path as the volume spells it, record)
        self._indexes: dict[
            int, DirectoryIndex
        ] = {}  # record number -> index, of the directories that were searched last
        self._device = device
        with reading("NTFS volume", position):
            self._ntfs = BoundedNtfs(device)
            self.cluster_size: int = self._ntfs.cluster_size

    @property
    def geometry(self) -> dict[str, int | None]:
        return self._ntfs.geometry

    @cached_property
    def label(self) -> str:
        with reading("NTFS $Volume", self._position):
            return self._ntfs.volume_name or ""

    @property
    def free_bytes(self) -> int:
        return self.free_space.clusters * self.cluster_size

    @property
    def total_bytes(self) -> int:
        """The volume's length in bytes, with the boot sector's copy after its last sector."""
        with reading("NTFS volume", self._position):
            return int((self._ntfs.boot_sector.NumberSectors + 1) * self._ntfs.sector_size)

    @cached_property
    def free_space(self) -> FreeSpace:
        """The free space. Reads the whole $Bitmap once."""
        with reading("NTFS $Bitmap", self._position):
            clusters, size = self._ntfs.clusters, -(-self._ntfs.clusters // 8)
            stream = content_of(self._ntfs.mft.get(BITMAP_RECORD))
            return free_space((stream.read(min(CHUNK, size - at)) for at in range(0, size, CHUNK)), clusters)

    def why_log_pending(self) -> str | None:
        """Why the volume's log must be replayed, according to it; None if it need not be."""
        with reading("NTFS $LogFile", self._position):
            return why_not_closed(content_of(self._ntfs.mft.get(LOG_RECORD)))

    def runs_of(self, record: int, kind: int, name: str) -> list[tuple[int, int]]:
        """The runs of an attribute, in the order of its content, without holes: (first cluster, number of clusters)."""
        with reading(f"NTFS file record {record} on the volume", self._position):
            return _stored(self._ntfs.mft.get(record).attributes.find(name, ATTRIBUTE_TYPE_CODE(kind)))

    @property
    def hidden_sectors(self) -> int:
        """At which sector of its disk the boot sector says that the volume begins."""
        return int(self._ntfs.boot_sector.Bpb.HiddenSectors)

    @property
    def extent(self) -> Extent:
        """The volume's length according to the boot sector, $Bitmap and $BadClus."""
        with reading("NTFS volume", self._position):
            sectors, sector_size = self._ntfs.boot_sector.NumberSectors, self._ntfs.sector_size
            bitmap = content_of(self._ntfs.mft.get(BITMAP_RECORD))
            size = bitmap.seek(0, os.SEEK_END)
            bad = int(self._ntfs.mft.get(BAD_CLUSTERS_RECORD).size(BAD_STREAM))
            return Extent(
                sectors * sector_size, sector_size, self._ntfs.clusters, bad, size, self._clear_behind(bitmap)
            )

    def _clear_behind(self, bitmap: BinaryIO) -> int:
        """The number of clear bits in $Bitmap after the last cluster's. $Bitmap has a multiple of 64 bits."""
        groups, rest = divmod(self._ntfs.clusters, 64)
        bitmap.seek(groups * 8)
        bits = int.from_bytes(bitmap.read(8).ljust(8, b"\xff"), "little") | (1 << rest) - 1
        return 64 - bits.bit_count()

    def pieces_of(self, path: str) -> int | None:
        """The number of pieces of a file on the disk, 0 if it is in its record; None if there is no such file."""
        with reading(f"NTFS file {path} on the volume", self._position):
            record = self._record(path)
            if record is None or record.is_dir() or not record.has_stream():
                return None
            attributes = record.attributes.find("", ATTRIBUTE_TYPE_CODE.DATA)
            if attributes.header.resident:
                return 0
            runs = _stored(attributes)
            return sum(1 for last, run in pairwise([(-1, 0), *runs]) if sum(last) != run[0])

    def size_of(self, path: str) -> int | None:
        with reading(f"NTFS file {path} on the volume", self._position):
            record = self._record(path)
            return None if record is None or record.is_dir() else int(record.size())

    def open(self, path: str) -> BinaryIO:
        with reading(f"NTFS file {path} on the volume", self._position):
            record = self._record(path)
            if record is None or record.is_dir():
                raise NotFoundError(f"there is no file \\{path}")
            if (why := why_not_read(record)) is not None:
                raise UnsupportedError(f"\\{path} {why}")
            if not 0 <= (size := record.size()) <= self._volume_size:  # dissect reads sizes as signed numbers
                found = f"{size} bytes on a volume of {self._volume_size}"
                raise UnsupportedError(f"the file \\{path} is larger than its volume, and so not read: {found}")
            ahead = partial(self._ahead.announce_content, record) if prefetch(self._device) else None
            return cast(
                "BinaryIO", GuardedStream(content_of(record), f"NTFS file {path} on the volume", self._position, ahead)
            )

    def stored(self, path: str) -> BinaryIO:
        with reading(f"NTFS file {path} on the volume", self._position):
            record = self._record(path)
            form = None if record is None or record.is_dir() else packed_form(record)
            guarded = form and GuardedStream(form, f"NTFS file {path} on the volume", self._position)
        return cast("BinaryIO", guarded) if guarded else self.open(path)

    def head(self, path: str, length: int) -> tuple[int, bytes]:
        with reading(f"NTFS file {path} on the volume", self._position):
            record = self._record(path)
            plain = None if record is None or record.is_dir() else head_of(record, length)
        return plain or head_of_stream(self.open(path), length)

    def announce(self, wanted: Iterable[Wanted]) -> None:
        if prefetch(self._device):
            with suppress(VmRescueError), reading("NTFS volume", self._position):
                self._ahead.announce(wanted)

    @cached_property
    def _ahead(self) -> Ahead:
        return Ahead(self._device, self._ntfs, self._find)

    def entries(self, path: str) -> list[Entry]:
        with reading(f"NTFS directory {path} on the volume", self._position):
            record = self._record(path)
            if record is None or not record.is_dir():
                raise NotFoundError(f"there is no directory \\{path}")
            index = DirectoryIndex(record)
            names = sorted((number_of(each), index.name_of(each)) for each in index.names())
            table, size = self._ntfs.mft.fh, self._ntfs.record_size
            plain = described(table, size, names)
            found = [
                entry or _described(self._ntfs.mft.get(number), name)
                for (number, name), entry in zip(names, plain, strict=True)
            ]
            return sorted((entry for entry in found if entry.name != "."), key=lambda entry: entry.name.upper())

    def entry(self, path: str) -> Entry | None:
        with reading(f"NTFS file {path} on the volume", self._position):
            record = self._record(path)
            return None if record is None else _described(record, (file_path.split(self.spelled(path)) or [""])[-1])

    def spelled(self, path: str) -> str:
        with reading(f"NTFS file {path} on the volume", self._position):
            record, names, way = self._ntfs.mft.root, file_path.split(path), ""
            for at, part in enumerate(names):
                way = f"{way}\\{part}"
                if way not in self._spelled:
                    found = self._find(record, part)
                    if found is None:
                        break
                    index, entry = found
                    names[at], record = index.long_name(entry), index.target_of(entry)
                    if record.is_dir():
                        self._spelled[way] = names[at], record
                else:
                    names[at], record = self._spelled[way]
            return "\\".join(names)

    def nature(self, path: str) -> Nature | None:
        with reading(f"NTFS file {path} on the volume", self._position):
            parts = file_path.split(path)
            asked = (self._record("\\".join(parts[: length + 1])) for length in range(len(parts)))
            way = [record for record in asked if record is not None]
            if not way or len(way) < len(parts):
                return None
            record = way[-1]
            directory = record.is_dir()
            return Nature(
                size=0 if directory or not record.has_stream() else int(record.size()),
                directory=directory,
                own=any(each.segment < FIRST_USER_RECORD and each.segment != ROOT_RECORD for each in way),
                link=any(each.is_reparse_point() for each in way),
                names=_names_of(record),
                packed=marks_of(record),
                storage=storage_of(record),
                number=int(record.segment),
            )

    def _find(self, directory: Any, name: str) -> tuple[DirectoryIndex, IndexEntry] | None:
        """The entry of a name in a directory, with the index; None if there is none."""
        if not directory.is_dir():
            return None
        number = int(directory.segment)
        index = self._indexes.pop(number, None) or DirectoryIndex(directory)
        if len(self._indexes) >= INDEXES_KEPT:
            del self._indexes[next(iter(self._indexes))]
        self._indexes[number] = index
        entry = index.find(name)
        return None if entry is None else (index, entry)

    def _record(self, path: str) -> Any | None:
        """The record of what is at a path; None if nothing is. Directories on the path are cached for later calls."""
        record, way = self._ntfs.mft.root, ""
        for part in file_path.split(path):
            way = f"{way}\\{part}"
            if way in self._directories:
                record = self._directories[way]
                continue
            found = self._find(record, part)
            if found is None:
                return None
            index, entry = found
            record = index.target_of(entry)
            if record.is_dir():
                self._directories[way] = record
        return record


def _stored(attribute: Any) -> list[tuple[int, int]]:
    """The runs of an attribute, without holes: (first cluster, number of clusters)."""
    return [(int(lcn), int(length)) for lcn, length in attribute.dataruns() if lcn is not None]


def _described(record: Any, name: str) -> Entry:
    directory = record.is_dir()
    size = 0 if directory or not record.has_stream() else int(record.size())
    link, stored = record.is_reparse_point(), 0 if directory else _clusters_of(record)
    names = _names_of(record) if record.header.ReferenceCount > 1 else 1
    standard = standard_of(record)
    marks, flags = marks_of(record, standard), flags_of(standard.attributes)
    return Entry(
        name,
        directory,
        size,
        is_link=link,
        number=int(record.segment),
        marks=marks,
        on_disk=stored,
        names=names,
        modified=standard.modified,
        flags=flags,
    )


def _names_of(record: Any) -> int:
    """The number of a file's names, without short forms."""
    names = (each.header.open().read() for each in record.attributes[ATTRIBUTE_TYPE_CODE.FILE_NAME])
    return sum(name[SPACE_AT] != DOS_NAME for name in names)


def _clusters_of(record: Any) -> int:
    """Bytes of the clusters of a file, all streams included; resident values and holes have none."""
    return sum(_allocated(each.header) for each in record.attributes[ATTRIBUTE_TYPE_CODE.DATA])


def _allocated(header: Any) -> int:
    place = None if header.resident else header.header.Form.Nonresident
    if not place or place.LowestVcn:  # the first of several extents has the size for all
        return 0
    packed = int(header.flags) & (DATA_PACKED | DATA_SPARSE)
    return max(int(place.TotalAllocated if packed else place.AllocatedLength), 0)
