"""Reading files out of FAT volumes, through dissect.fat."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from dissect.fat import FATFS
from dissect.fat.fat import FAT

from vmrescue.errors import FormatError, NotFoundError
from vmrescue.fat.boot_sector import read_boot_sector
from vmrescue.windows.file_system import Entry, parts_of
from vmrescue.windows.guard import GuardedStream, reading
from vmrescue.windows.stream import DeviceStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.disk.device import BlockDevice

SLOT = 32  # bytes of a directory's entry, or of a part of a long name
LARGEST_DIRECTORY = 65536 * SLOT  # fatgen103: a directory has at most so many slots
LONG_NAME = 0x0F  # the attributes that mark a part of one
LONGEST_NAME = 20  # parts of 13 characters: 255 characters are the limit
FIRST_END = {12: 0xFF8, 16: 0xFFF8, 32: 0x0FFFFFF8}  # entries of the table from here on end a chain
OLD_END = 0xFF0  # as does this one on FAT12: MS-DOS 1 wrote it


class BoundedFat(FAT):  # type: ignore[misc]  # dissect.fat has no types
    """dissect's allocation table, without the faults of version 3.13.

    A chain that loops, or that leads to a cluster with a reserved number, never ends there, and the cluster before its
    predecessor is joined to the wrong run.
    """

    def __init__(self, table: Any) -> None:
        self.__dict__.update(vars(table))

    def chain(self, cluster: int) -> Iterator[int]:
        """The clusters of a chain; whether it loops is seen by Brent's method, which needs no memory."""
        mark, steps, limit = -1, 0, 1
        while True:
            if cluster == mark:
                raise FormatError("FAT cluster chain", cluster, "an end", "a loop")
            if steps == limit:
                mark, steps, limit = cluster, 0, limit * 2
            steps += 1
            value = self.get(cluster)
            yield cluster
            if value >= FIRST_END[self.bits_per_entry] or (value == OLD_END and self.bits_per_entry == 12):
                return
            if not 2 <= value < self.entry_count:
                raise FormatError("FAT cluster chain", cluster, "another cluster, or an end", value)
            cluster = value

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
            read_boot_sector(device)  # so that dissect is given sane numbers only
            self._fat = FATFS(DeviceStream(device))
            self._fat.fat = BoundedFat(self._fat.fat)
            self.cluster_size: int = self._fat.cluster_size

    @property
    def label(self) -> str:
        label = str(self._fat.volume_label)
        return "" if label == "NO NAME" else label

    @cached_property
    def free_bytes(self) -> int:
        """As the volume itself notes it, where that can be believed: counting takes reading the whole table."""
        from vmrescue.fat import FatVolume

        volume = FatVolume(self._device)
        noted = volume.noted_free_clusters
        return (volume.free_clusters if noted is None else noted) * self.cluster_size

    def size_of(self, path: str) -> int | None:
        with reading(f"FAT file {path}", self._position):
            entry = self._find(path)
            return None if entry is None or entry.is_directory() else int(entry.size)

    def open(self, path: str) -> BinaryIO:
        with reading(f"FAT file {path}", self._position):
            entry = self._find(path)
            if entry is None or entry.is_directory():
                raise NotFoundError(f"there is no file \\{path}")
            return cast("BinaryIO", GuardedStream(entry.open(), f"FAT file {path}", self._position))

    def entry(self, path: str) -> Entry | None:
        with reading(f"FAT file {path}", self._position):
            found = self._find(path)
            if found is None:
                return None
            directory = found.is_directory()
            name = (parts_of(self.spelled(path)) or [""])[-1]
            return Entry(name, directory, 0 if directory else int(found.size))

    def spelled(self, path: str) -> str:
        with reading(f"FAT file {path}", self._position):
            names = parts_of(path)
            for at in range(len(names)):
                found = self._find("\\".join(names[: at + 1]))
                if found is None:
                    break
                names[at] = str(found.name)
            return "\\".join(names)

    def entries(self, path: str) -> list[Entry]:
        with reading(f"FAT directory {path}", self._position):
            directory = self._find(path)
            if directory is None or not directory.is_directory():
                raise NotFoundError(f"there is no directory \\{path}")
            return sorted(self._children(directory), key=lambda entry: entry.name.upper())

    def _children(self, directory: Any) -> Iterator[Entry]:
        for child in _entries(directory):
            if not child.is_volume_id() and child.name not in (".", ".."):
                folder = child.is_directory()
                yield Entry(child.name, folder, 0 if folder else int(child.size), number=int(child.cluster))

    def _find(self, path: str) -> Any | None:
        found = self._fat.root
        for part in parts_of(path):
            if not found.is_directory():
                return None
            wanted = part.upper()
            names = (child for child in _entries(found) if wanted in (child.name.upper(), child.short_name.upper()))
            found = next(names, None)
            if found is None:
                return None
        return found


def _entries(directory: Any) -> Iterator[Any]:
    """What a directory holds, once it is known that dissect comes to its end soon."""
    size = directory.size
    if size > LARGEST_DIRECTORY:
        raise FormatError("FAT directory", 0, f"at most {LARGEST_DIRECTORY} bytes", size)
    slots = directory.open().read()
    parts = 0
    for at in range(0, len(slots) - SLOT + 1, SLOT):
        if not slots[at] and not parts:
            break
        parts = parts + 1 if slots[at + 11] == LONG_NAME else 0
        if parts > LONGEST_NAME:
            raise FormatError("FAT directory", 0, f"a name of at most {LONGEST_NAME} parts", "more")
    yield from directory.iterdir()
