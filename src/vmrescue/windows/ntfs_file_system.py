"""Reading files out of NTFS volumes, through dissect.ntfs."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from dissect.ntfs.c_ntfs import ATTRIBUTE_TYPE_CODE

from vmrescue.errors import NotFoundError, UnsupportedError
from vmrescue.windows.bounded_ntfs import BoundedNtfs, content_of, find_name, names_in
from vmrescue.windows.file_system import CHUNK, Entry, parts_of
from vmrescue.windows.free_space import FreeSpace, free_space
from vmrescue.windows.guard import GuardedStream, reading

if TYPE_CHECKING:
    from vmrescue.disk.device import BlockDevice

BITMAP_RECORD = 6  # $Bitmap is always file record 6


class NtfsFileSystem:
    """An NTFS volume. Reparse points are not followed: offline, their targets may mean something else."""

    def __init__(self, device: BlockDevice, position: int) -> None:
        self._position = position
        self._volume_size = device.size
        self._directories: dict[str, Any] = {}  # by their paths in capitals
        with reading("NTFS volume", position):
            self._ntfs = BoundedNtfs(device)
            self.cluster_size: int = self._ntfs.cluster_size

    @cached_property
    def label(self) -> str:
        with reading("NTFS $Volume", self._position):
            return self._ntfs.volume_name or ""

    @property
    def free_bytes(self) -> int:
        return self.free_space.clusters * self.cluster_size

    @cached_property
    def free_space(self) -> FreeSpace:
        """Read from $Bitmap, all of it, once."""
        with reading("NTFS $Bitmap", self._position):
            clusters, size = self._ntfs.clusters, -(-self._ntfs.clusters // 8)
            stream = content_of(self._ntfs.mft.get(BITMAP_RECORD))
            return free_space((stream.read(min(CHUNK, size - at)) for at in range(0, size, CHUNK)), clusters)

    def pieces_of(self, path: str) -> int | None:
        """In how many pieces a file lies on the disk, 0 where it lies in its record; None where there is none."""
        with reading(f"NTFS file {path}", self._position):
            record = self._record(path)
            if record is None or record.is_dir() or not record.has_stream():
                return None
            attributes = record.attributes.find("", ATTRIBUTE_TYPE_CODE.DATA)
            if attributes.header.resident:
                return 0
            end, pieces = None, 0
            for lcn, length in attributes.dataruns():
                if lcn is not None:
                    pieces += lcn != end
                    end = lcn + length
            return pieces

    def size_of(self, path: str) -> int | None:
        with reading(f"NTFS file {path}", self._position):
            record = self._record(path)
            return None if record is None or record.is_dir() else int(record.size())

    def open(self, path: str) -> BinaryIO:
        with reading(f"NTFS file {path}", self._position):
            record = self._record(path)
            if record is None or record.is_dir():
                raise NotFoundError(f"there is no file \\{path}")
            stream = content_of(record)
            if not 0 <= stream.size <= self._volume_size:  # dissect takes sizes for signed
                found = f"{stream.size} bytes on a volume of {self._volume_size}"
                raise UnsupportedError(f"the file \\{path} is larger than its volume, and so not read: {found}")
            return cast("BinaryIO", GuardedStream(stream, f"NTFS file {path}", self._position))

    def entries(self, path: str) -> list[Entry]:
        with reading(f"NTFS directory {path}", self._position):
            record = self._record(path)
            if record is None or not record.is_dir():
                raise NotFoundError(f"there is no directory \\{path}")
            found = map(self._entry, names_in(record))
            return sorted((entry for entry in found if entry.name != "."), key=lambda entry: entry.name.upper())

    def _entry(self, index_entry: Any) -> Entry:
        target = index_entry.dereference()
        directory = target.is_dir()
        has_data = not directory and target.has_stream()
        size = int(target.size()) if has_data else 0
        name = index_entry.attribute.file_name
        return Entry(name, directory, size, target.is_reparse_point(), int(target.segment))

    def _record(self, path: str) -> Any | None:
        """What lies at a path. Directories on the way are kept: most of what is asked for lies beside each other."""
        record, way = self._ntfs.mft.root, ""
        for part in parts_of(path):
            way = f"{way}\\{part.upper()}"
            if way in self._directories:
                record = self._directories[way]
                continue
            entry = find_name(record, part) if record.is_dir() else None
            if entry is None:
                return None
            record = entry.dereference()
            if record.is_dir():
                self._directories[way] = record
        return record
