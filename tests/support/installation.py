r"""A minimal Windows without a disk: a volume of files in memory, on which lie a boot store and a SYSTEM hive.

So a check is tested in milliseconds: ``subject({r"ControlSet001\Services\TermService": {"Start": 4}})``. What is
simple here is the volume alone; hives, store and installation are read by the code that reads them on a disk.
"""

from __future__ import annotations

import io
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO, ClassVar

from support.hives import Keys, hive
from support.memory_device import MemoryDevice
from vmrescue.checks import Policy
from vmrescue.checks.subject import Subject
from vmrescue.errors import NotFoundError
from vmrescue.readers.file_system import Entry, head_of_stream
from vmrescue.readers.nature import Nature
from vmrescue.volume import Partition, PartitionTable
from vmrescue.volume.state import StateName, VolumeState
from vmrescue.volumes.disk import Volume
from vmrescue.windows import Disk, Installation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vmrescue.readers.file_system import FileSystem, Wanted

SIZE = 64 << 20  # bytes of the disk
STORE = "Boot\\BCD"
SYSTEM = "Windows\\System32\\config\\SYSTEM"
BOOT_MANAGER = "{9dea862c-5cdd-4e70-acc1-f32b344d4795}"
LOADER = "{0f6f5a2e-3c1d-11ef-9a77-00155d3a2b01}"
SELECT: Keys = {"Select": {"Current": 1, "Default": 1, "Failed": 0, "LastKnownGood": 1}, "ControlSet001": {}}
ENTRIES: Keys = {
    f"Objects\\{BOOT_MANAGER}\\Description": {"Type": 0x10100002},
    f"Objects\\{BOOT_MANAGER}\\Elements\\23000003": {"Element": LOADER},
    f"Objects\\{LOADER}\\Description": {"Type": 0x10200003},
    f"Objects\\{LOADER}\\Elements\\22000002": {"Element": "\\Windows"},
}


def subject(system: Keys, store: Keys | None = None, policy: Policy | None = None) -> Subject:
    """What a check looks at: these keys in SYSTEM and in the boot store, beside what no Windows is without."""
    return Subject(installation(system, store), policy or Policy())


def installation(system: Keys, store: Keys | None = None, files: Mapping[str, bytes] | None = None) -> Installation:
    """A Windows with these keys and files."""
    hives = {SYSTEM: hive(SELECT | system), STORE: hive(ENTRIES | (store or {}))}
    return Installation([_MemoryDisk(hives | dict(files or {}))])


class _MemoryDisk(Disk):
    def __init__(self, files: dict[str, bytes]) -> None:
        partition = Partition(1, 1 << 20, SIZE - (1 << 20), 7, active=True)
        table = PartitionTable("MBR", 512, 0x1234, [partition], [])
        super().__init__(MemoryDevice(bytes(SIZE)), "memory", table=table)  # type: ignore[arg-type]
        self.volumes = [_MemoryVolume(self, partition, files)]


class _MemoryVolume(Volume):
    def __init__(self, disk: Disk, partition: Partition, files: dict[str, bytes]) -> None:
        super().__init__(disk, partition)
        self._files = files

    @cached_property
    def file_system(self) -> str | None:
        return "NTFS"

    @cached_property
    def files(self) -> FileSystem:
        return _MemoryFiles(self._files)

    @cached_property
    def state(self) -> VolumeState:
        return VolumeState(StateName.CLEAN, [])


class _MemoryFiles:
    """Files by their paths, compared without case."""

    cluster_size = 4096
    label = ""
    geometry: ClassVar[dict[str, int | None]] = {}
    free_bytes = SIZE // 2
    total_bytes = SIZE - (1 << 20)

    def __init__(self, files: dict[str, bytes]) -> None:
        self._files = {path.lower(): (path, data) for path, data in files.items()}

    def size_of(self, path: str) -> int | None:
        found = self._files.get(path.lower())
        return len(found[1]) if found else None

    def nature(self, path: str) -> Nature | None:
        size = self.size_of(path)
        if size is None and any(each.startswith(f"{path.lower()}\\") for each in self._files):
            return Nature(0, directory=True)
        return None if size is None else Nature(size, directory=False)

    def open(self, path: str) -> BinaryIO:
        if path.lower() not in self._files:
            raise NotFoundError(f"there is no {path}")
        return io.BytesIO(self._files[path.lower()][1])

    def stored(self, path: str) -> BinaryIO:
        return self.open(path)

    def head(self, path: str, length: int) -> tuple[int, bytes]:
        return head_of_stream(self.open(path), length)

    def entry(self, path: str) -> Entry | None:
        size = self.size_of(path)
        return None if size is None else Entry(path.rpartition("\\")[2], False, size)

    def spelled(self, path: str) -> str:
        return self._files.get(path.lower(), (path, b""))[0]

    def announce(self, wanted: Iterable[Wanted]) -> None:
        """Nothing: the file is at hand."""

    def entries(self, path: str) -> list[Entry]:
        return []
