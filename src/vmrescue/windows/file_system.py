"""Reading files out of NTFS and FAT volumes, through dissect.ntfs and dissect.fat."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

from vmrescue.errors import NotFoundError, UnsupportedError
from vmrescue.windows.guard import GuardedStream, reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.disk.device import BlockDevice

BITMAP_RECORD = 6  # $Bitmap is always file record 6
CHUNK = 1 << 20  # bytes of a file held at once


@dataclass(frozen=True)
class Entry:
    """One name in a directory; `size` is in bytes, 0 for a directory; `is_link`: it is a reparse point."""

    name: str
    is_directory: bool
    size: int
    is_link: bool = False


class FileSystem(Protocol):
    """What the rest of this room asks of a volume. Paths use backslashes and are looked up without case."""

    @property
    def cluster_size(self) -> int:
        """Bytes in a cluster."""

    @property
    def label(self) -> str:
        """The volume's name, perhaps empty."""

    @property
    def free_bytes(self) -> int:
        """Bytes in clusters that no file owns."""

    def size_of(self, path: str) -> int | None:
        """A file's length in bytes; None where there is no such file (or it is a directory)."""

    def open(self, path: str) -> BinaryIO:
        """The file's content. Raises NotFoundError where there is no such file."""

    def entries(self, path: str) -> list[Entry]:
        """What a directory holds, sorted by name. Raises NotFoundError where there is no such directory."""


def parts_of(path: str) -> list[str]:
    """The names in a path; both slashes separate."""
    return [part for part in path.replace("/", "\\").split("\\") if part]


def harmless(name: str) -> str:
    """A name out of an image, changed where it could lead out of a folder of ours or mean something to a shell."""
    kept = "".join(character if character.isalnum() or character in "._- {}" else "_" for character in name)
    return kept if kept.strip(". ") else "_"


def chunks(stream: BinaryIO) -> Iterator[bytes]:
    """A file's content in pieces, so that its size costs no memory."""
    while chunk := stream.read(CHUNK):
        yield chunk


def ones(bitmap: bytes) -> int:
    """How many bits are set."""
    return int.from_bytes(bitmap, "little").bit_count()


class NtfsFileSystem:
    """An NTFS volume. Reparse points are not followed: offline, their targets may mean something else."""

    def __init__(self, device: BlockDevice, position: int) -> None:
        from vmrescue.windows.bounded_ntfs import BoundedNtfs

        self._position = position
        self._volume_size = device.size
        with reading("NTFS volume", position):
            self._ntfs = BoundedNtfs(device)
            self.cluster_size: int = self._ntfs.cluster_size

    @cached_property
    def label(self) -> str:
        with reading("NTFS $Volume", self._position):
            return self._ntfs.volume_name or ""

    @cached_property
    def free_bytes(self) -> int:
        with reading("NTFS $Bitmap", self._position):
            return int(self._ntfs.clusters - self._used(self._ntfs.clusters)) * self.cluster_size

    def _used(self, clusters: int) -> int:
        stream = self._ntfs.mft.get(BITMAP_RECORD).open()
        whole_bytes, bits = divmod(clusters, 8)
        used = sum(ones(stream.read(min(CHUNK, whole_bytes - at))) for at in range(0, whole_bytes, CHUNK))
        return used + (ones(stream.read(1)) if not bits else ones(bytes([stream.read(1)[0] & (1 << bits) - 1])))

    def size_of(self, path: str) -> int | None:
        with reading(f"NTFS file {path}", self._position):
            record = self._record(path)
            return None if record is None or record.is_dir() else int(record.size())

    def open(self, path: str) -> BinaryIO:
        with reading(f"NTFS file {path}", self._position):
            record = self._record(path)
            if record is None or record.is_dir():
                raise NotFoundError(f"there is no file \\{path}")
            stream = record.open()
            if stream.size > self._volume_size:
                found = f"{stream.size} bytes on a volume of {self._volume_size}"
                raise UnsupportedError(f"the file \\{path} is larger than its volume, and so not read: {found}")
            return cast("BinaryIO", GuardedStream(stream, f"NTFS file {path}", self._position))

    def entries(self, path: str) -> list[Entry]:
        with reading(f"NTFS directory {path}", self._position):
            record = self._record(path)
            if record is None or not record.is_dir():
                raise NotFoundError(f"there is no directory \\{path}")
            from vmrescue.windows.bounded_ntfs import names_in

            found = map(self._entry, names_in(record))
            return sorted((entry for entry in found if entry.name != "."), key=lambda entry: entry.name.upper())

    def _entry(self, index_entry: Any) -> Entry:
        target = index_entry.dereference()
        directory = target.is_dir()
        has_data = not directory and target.has_stream()
        size = int(target.size()) if has_data else 0
        return Entry(index_entry.attribute.file_name, directory, size, target.is_reparse_point())

    def _record(self, path: str) -> Any | None:
        from vmrescue.windows.bounded_ntfs import find_name

        record = self._ntfs.mft.root
        for part in parts_of(path):
            if not record.is_dir():
                return None
            entry = find_name(record, part)
            if entry is None:
                return None
            record = entry.dereference()
        return record


def open_file_system(device: BlockDevice, kind: str | None, position: int) -> FileSystem:
    """The reader for a volume whose file system is `kind`, as `volume.identify` names it.

    `position` is the volume's first byte on its disk, for errors. Raises UnsupportedError for other kinds.
    """
    if kind == "NTFS":
        return NtfsFileSystem(device, position)
    if kind in ("FAT12", "FAT16", "FAT32"):
        from vmrescue.windows.fat_file_system import FatFileSystem

        return FatFileSystem(device, position)
    raise UnsupportedError(f"the volume at byte {position} holds {kind or 'no known file system'}: it cannot be read")
