"""Reads files from FAT volumes through dissect.fat."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from dissect.fat.fat import RootDirectory

from vmrescue import file_path
from vmrescue.errors import NotFoundError, UsageError
from vmrescue.readers.fat.volume import BoundedFatFs, entries_of, name_of
from vmrescue.readers.file_system import Entry, ambiguous, flags_of, head_of_stream
from vmrescue.readers.guard import GuardedStream, reading
from vmrescue.readers.nature import Nature
from vmrescue.readers.stream import DeviceStream
from vmrescue.upcase import upper

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from vmrescue.device import BlockDevice
    from vmrescue.readers.file_system import Wanted


class FatFileSystem:
    """A FAT12, FAT16 or FAT32 volume."""

    def __init__(self, device: BlockDevice, position: int) -> None:
        self._position = position
        with reading("FAT volume", position):
            self._fat = BoundedFatFs(DeviceStream(device))
            self.cluster_size: int = self._fat.cluster_size

    @property
    def geometry(self) -> dict[str, int | None]:
        return self._fat.geometry

    @property
    def hidden_sectors(self) -> int:
        """At which sector of its disk the boot sector says that the volume begins."""
        return int(self._fat.bpb.BPB_HiddSec)

    @property
    def label(self) -> str:
        label = str(self._fat.volume_label)
        return "" if label == "NO NAME" else label

    @cached_property
    def free_bytes(self) -> int:
        """Bytes in free clusters, from FSInfo if it is reliable; counting them reads the whole table."""
        with reading("FAT table", self._position):
            return self._fat.free_clusters * self.cluster_size

    @property
    def total_bytes(self) -> int:
        return int(self._fat.total_sectors * self._fat.sector_size)

    def size_of(self, path: str) -> int | None:
        with reading(f"FAT file {path} on the volume", self._position):
            entry = self._find(path)
            return None if entry is None or entry.is_directory() else int(entry.size)

    def nature(self, path: str) -> Nature | None:
        with reading(f"FAT file {path} on the volume", self._position):
            entry = self._find(path)
            if entry is None:
                return None
            directory = entry.is_directory()
            return Nature(0 if directory else int(entry.size), directory, number=int(entry.cluster))

    def open(self, path: str) -> BinaryIO:
        with reading(f"FAT file {path} on the volume", self._position):
            entry = self._find(path)
            if entry is None or entry.is_directory():
                raise NotFoundError(f"there is no file \\{path}")
            return cast("BinaryIO", GuardedStream(entry.open(), f"FAT file {path} on the volume", self._position))

    def stored(self, path: str) -> BinaryIO:
        return self.open(path)

    def head(self, path: str, length: int) -> tuple[int, bytes]:
        return head_of_stream(self.open(path), length)

    def announce(self, wanted: Iterable[Wanted]) -> None:
        """Nothing: the folders and files of an EFI system partition lie together, where its first clusters are."""

    def entry(self, path: str) -> Entry | None:
        with reading(f"FAT file {path} on the volume", self._position):
            found = self._find(path)
            if found is None:
                return None
            return _described(found, (file_path.split(self.spelled(path)) or [""])[-1], number=0)

    def spelled(self, path: str) -> str:
        with reading(f"FAT file {path} on the volume", self._position):
            names = file_path.split(path)
            for at in range(len(names)):
                found = self._find("\\".join(names[: at + 1]))
                if found is None:
                    break
                names[at] = name_of(found)
            return "\\".join(names)

    def entries(self, path: str) -> list[Entry]:
        with reading(f"FAT directory {path} on the volume", self._position):
            directory = self._find(path)
            if directory is None or not directory.is_directory():
                raise NotFoundError(f"there is no directory \\{path}")
            return sorted(self._children(directory), key=lambda entry: entry.name.upper())

    def _children(self, directory: Any) -> Iterator[Entry]:
        for child in entries_of(directory):
            if not child.is_volume_id() and child.name not in (".", ".."):
                yield _described(child, name_of(child), int(child.cluster))

    def _find(self, path: str) -> Any | None:
        found = self._fat.root
        for part in file_path.split(path):
            if not found.is_directory():
                return None
            found = _named(entries_of(found), part)
            if found is None:
                return None
        return found


def _described(entry: Any, name: str, number: int) -> Entry:
    directory = entry.is_directory()
    size = 0 if directory else int(entry.size)
    if isinstance(entry, RootDirectory):  # it has no entry anywhere, which would say more
        return Entry(name, directory, size, number=number)
    flags = flags_of(int(entry.dirent.DIR_Attr))
    return Entry(name, directory, size, number=number, modified=_modified(entry), flags=flags)


def _modified(entry: Any) -> datetime | None:
    if not entry.dirent.DIR_WrtDate:
        return None
    try:
        return cast("datetime", entry.mtime)
    except ValueError:  # no such day
        return None


def _named(entries: Iterable[Any], name: str) -> Any | None:
    """The entry spelled exactly `name` (long or short), else the one that matches in any case; None if there is none.

    Letters are compared one by one, as in Windows. Raises UsageError if none is spelled so and several match.
    """
    wanted, fitting = upper(name), []
    for entry in entries:
        own = name_of(entry)
        if own == name:
            return entry
        if wanted in (upper(own), upper(entry.short_name)):
            fitting.append(entry)
    if len(fitting) > 1:
        raise UsageError(ambiguous(name, map(name_of, fitting)))
    return fitting[0] if fitting else None
