"""Reading files out of FAT volumes, through dissect.fat."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO

from dissect.fat import FATFS
from dissect.fat.exceptions import FileNotFoundError as NoSuchFile
from dissect.fat.exceptions import NotADirectoryError as NoSuchDirectory
from dissect.fat.fat import FAT

from vmrescue.errors import FormatError, NotFoundError
from vmrescue.windows.file_system import Entry, parts_of
from vmrescue.windows.guard import reading
from vmrescue.windows.stream import DeviceStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.disk.device import BlockDevice


class BoundedFat(FAT):  # type: ignore[misc]  # dissect.fat has no types
    """dissect's allocation table, without two faults of version 3.13.

    A chain that loops never ends there, and the cluster before its predecessor is joined to the wrong run.
    """

    def __init__(self, table: Any) -> None:
        self.__dict__.update(vars(table))

    def chain(self, cluster: int) -> Iterator[int]:
        for count, each in enumerate(super().chain(cluster)):
            if count >= self.entry_count:
                raise FormatError("FAT cluster chain", cluster, f"an end within {self.entry_count} clusters", "a loop")
            yield each

    def runlist(self, cluster: int) -> Iterator[tuple[int, int]]:
        """(first cluster, clusters), counted from the volume's first data cluster."""
        start = length = 0
        for each in self.chain(cluster):
            if length and each - 2 == start + length:
                length += 1
                continue
            if length:
                yield start, length
            start, length = each - 2, 1
        if length:
            yield start, length


class FatFileSystem:
    """A FAT12, FAT16 or FAT32 volume."""

    def __init__(self, device: BlockDevice, position: int) -> None:
        self._device = device
        self._position = position
        with reading("FAT volume", position):
            self._fat = FATFS(DeviceStream(device))
            self._fat.fat = BoundedFat(self._fat.fat)
            self.cluster_size: int = self._fat.cluster_size

    @property
    def label(self) -> str:
        label = str(self._fat.volume_label)
        return "" if label == "NO NAME" else label

    @cached_property
    def free_bytes(self) -> int:
        from vmrescue.fat import FatVolume

        return FatVolume(self._device).free_clusters * self.cluster_size

    def size_of(self, path: str) -> int | None:
        with reading(f"FAT file {path}", self._position):
            entry = self._find(path)
            return None if entry is None or entry.is_directory() else int(entry.size)

    def open(self, path: str) -> BinaryIO:
        with reading(f"FAT file {path}", self._position):
            entry = self._find(path)
            if entry is None or entry.is_directory():
                raise NotFoundError(f"there is no file \\{path}")
            stream: BinaryIO = entry.open()
            return stream

    def entries(self, path: str) -> list[Entry]:
        with reading(f"FAT directory {path}", self._position):
            directory = self._find(path)
            if directory is None or not directory.is_directory():
                raise NotFoundError(f"there is no directory \\{path}")
            return sorted(self._children(directory), key=lambda entry: entry.name.upper())

    def _children(self, directory: Any) -> Iterator[Entry]:
        for child in directory.iterdir():
            if not child.is_volume_id() and child.name not in (".", ".."):
                folder = child.is_directory()
                yield Entry(child.name, folder, 0 if folder else int(child.size))

    def _find(self, path: str) -> Any | None:
        try:
            return self._fat.get("\\".join(parts_of(path)))
        except (NoSuchFile, NoSuchDirectory):
            return None
