"""A hive's file on this machine, presented as an image whose only content is the hive, so that it can be edited.

Only this module knows the difference: for a transaction a bare hive is a disk with one volume that has one file. So it
gets everything that a disk gets: an overlay for changes, a backup, verification through the dissect readers, and the
undo journal. The hive's transaction logs are the files beside it; as on an image, they are read and never written.
"""

from __future__ import annotations

from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, ClassVar

from vmrescue.device import Held
from vmrescue.errors import FormatError, NotFoundError, ReadError, RefusedError, UnsupportedError
from vmrescue.files import open_untouched
from vmrescue.image.reference import Reference
from vmrescue.readers.file_system import Entry, head_of_stream
from vmrescue.readers.nature import Nature
from vmrescue.registry.base_block import LOG_SUFFIXES
from vmrescue.registry.hive_file import check_size, read_log
from vmrescue.signatures import HIVE
from vmrescue.volume import Partition, PartitionTable
from vmrescue.volumes.disk import Disk, DiskWithoutTable, Volume
from vmrescue.windows.registry_file import RegistryFile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmrescue.device import Readable
    from vmrescue.image import VirtualDisk
    from vmrescue.readers.file_system import FileSystem, Wanted

KIND = "hive"  # used as the name of the file system


def disk_or_hive(device: VirtualDisk, path: str, index: int = 0) -> Disk:
    """The disk or bare hive in an opened file. A data disk may be blank.

    Raises:
        UnsupportedError: it is a hive behind a URL.
        FormatError: its partition table cannot be read, and it is not a data disk.
    """
    is_hive = device.size >= len(HIVE) and device.read_at(0, len(HIVE)) == HIVE
    if is_hive and Reference.of(path).is_remote:
        raise UnsupportedError(f"{path} is a bare hive: download it, with the transaction logs that lie beside it")
    if is_hive:
        return BareHive(device, path, index)
    try:
        return Disk(device, path, index)
    except FormatError:
        if not index:
            raise
        return DiskWithoutTable(device, path, index)


class BareHive(Disk):
    """A hive's file as a disk."""

    def __init__(self, device: VirtualDisk, path: str, index: int = 0) -> None:
        whole = Partition(0, 0, device.size, 0)  # number and type 0: not a real partition
        self.device = device
        self.path = path
        self.index = index
        self.table = PartitionTable("none", device.sector_size, None, [whole], [])
        self._file = Path(path).resolve()  # the logs are beside the file itself, not beside a link to it
        self.volumes = [HiveVolume(self, whole, HiveFiles(device, self._file))]

    @property
    def hive(self) -> RegistryFile:
        return RegistryFile.of(self.volumes[0], self._file.name)


class HiveVolume(Volume):
    """The volume of the hive's file; `hive_files` both reads and edits it."""

    def __init__(self, disk: BareHive, partition: Partition, hive_files: HiveFiles) -> None:
        super().__init__(disk, partition)
        self.hive_files = hive_files

    @cached_property
    def file_system(self) -> str | None:
        return KIND

    @cached_property
    def files(self) -> FileSystem:
        return self.hive_files

    def editor(self) -> HiveFiles:
        return self.hive_files

    def __str__(self) -> str:
        return "this machine"


class HiveFiles:
    """The hive and its logs, as a `FileSystem` for reading and a `VolumeEditor` for editing."""

    cluster_size = 4096  # the unit in which a hive grows
    label = ""
    free_bytes = 0
    total_bytes = 0
    geometry: ClassVar[dict[str, int | None]] = {}

    def __init__(self, device: VirtualDisk, path: Path) -> None:
        self._device = device
        self._path = path

    def size_of(self, path: str) -> int | None:
        if path == self._path.name:
            return self._device.size
        return self._log(path).stat().st_size if self.exists(path) else None

    def nature(self, path: str) -> Nature | None:
        size = self.size_of(path)
        return None if size is None else Nature(size, directory=False)

    def open(self, path: str) -> BinaryIO:
        if path != self._path.name:
            return BytesIO(self.read_file(path))
        from vmrescue.readers.stream import DeviceStream  # here, because dissect.util is slow to import

        return DeviceStream(self._device)

    def stored(self, path: str) -> BinaryIO:
        return self.open(path)

    def head(self, path: str, length: int) -> tuple[int, bytes]:
        return head_of_stream(self.open(path), length)

    def entry(self, path: str) -> Entry | None:
        size = self.size_of(path)
        return None if size is None else Entry(path, False, size)

    def spelled(self, path: str) -> str:
        return path

    def announce(self, wanted: Iterable[Wanted]) -> None:
        """Nothing: the file is at hand."""

    def entries(self, path: str) -> list[Entry]:
        names = [self._path.name, *(self._path.name + suffix for suffix in LOG_SUFFIXES)]
        return [Entry(name, False, size) for name in names if (size := self.size_of(name)) is not None]

    def exists(self, path: str) -> bool:
        return path == self._path.name or (self._is_log(path) and self._log(path).is_file())

    def read_file(self, path: str) -> bytes:
        if path == self._path.name:
            check_size(path, self._device.size)
            return self._device.read_at(0, self._device.size)
        if not self.exists(path):
            raise NotFoundError(f"there is no {path} beside {self._path}")
        try:
            with open(self._log(path), "rb", opener=open_untouched) as stream:
                return read_log(stream, path)
        except OSError as error:
            raise ReadError(f"cannot read {self._log(path)}: {error.strerror}") from error

    def open_file(self, path: str) -> Readable:
        if path != self._path.name:
            return Held(self.read_file(path), path)
        check_size(path, self._device.size)
        return self._device

    def write_parts(self, path: str, parts: Iterable[tuple[int, bytes]]) -> None:
        self._must_be_the_hive(path)
        for at, data in parts:
            self._device.write_at(at, data)

    def write_file(self, path: str, data: bytes) -> None:
        self._must_be_the_hive(path)
        self._device.resize(len(data))
        self._device.write_at(0, data)

    def _must_be_the_hive(self, path: str) -> None:
        if path != self._path.name:
            raise RefusedError(f"{path} is not the hive {self._path.name}")

    def create_file(self, path: str, data: bytes) -> None:
        raise RefusedError(f"{path} would be a file of this machine: vmrescue creates none")

    def create_directory(self, path: str) -> None:
        raise RefusedError(f"{path} would be a folder of this machine: vmrescue creates none")

    def delete(self, *paths: str) -> None:
        raise RefusedError(f"{paths[0]} is a file of this machine: vmrescue deletes none")

    def rename(self, path: str, name: str) -> None:
        raise RefusedError(f"{path} is a file of this machine: vmrescue renames none")

    def set_attributes(self, path: str, attributes: int, mask: int) -> None:
        raise RefusedError(f"{path} is a file of this machine: vmrescue changes nothing but what is in it")

    def check(self) -> list[str]:
        """Nothing to check: there is no file system."""
        return []

    def _is_log(self, path: str) -> bool:
        return path in [self._path.name + suffix for suffix in LOG_SUFFIXES]

    def _log(self, path: str) -> Path:
        return self._path.with_name(path)
