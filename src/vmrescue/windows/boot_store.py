r"""Where the boot configuration data is, and which of several stores boots.

Generation 1 (BIOS, MBR): ``\Boot\BCD`` on the active partition. Generation 2 (UEFI, GPT): ``\EFI\Microsoft\Boot\BCD``
on the EFI system partition. A disk may have both stores, or one of them twice; then the partition style and the types
of the partitions decide, as for the firmware. A store on another partition is found too, because a wrong type may be
the fault.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from vmrescue.bcd import Store, objects
from vmrescue.bcd.device import RamDisk
from vmrescue.errors import NotFoundError, ReadError, UsageError, VmRescueError, fault_of
from vmrescue.readers.file_system import chunks
from vmrescue.registry.base_block import LOG_SUFFIXES
from vmrescue.registry.space import BIN
from vmrescue.windows.registry_file import RegistryFile

if TYPE_CHECKING:
    from vmrescue.bcd import BcdObject
    from vmrescue.volumes.disk import Disk, Volume

BIOS_STORE = r"Boot\BCD"
UEFI_STORE = r"EFI\Microsoft\Boot\BCD"
GENERATIONS = {BIOS_STORE: 1, UEFI_STORE: 2}
BOOT_MANAGER = objects.BY_ALIAS["bootmgr"].guid
OS_DEVICE = 0x21000001  # BcdOSLoaderDevice_OSDevice
ATTEMPT_RESUME = 0x26000005  # BcdBootMgrBoolean_AttemptResume
MOST = 16  # most boot stores, and most Windows installations, that are read; no disk has so many


class BootStore:
    """A boot store. Its file is opened when it is needed.

    Args:
        volume, path: where its file is.
        rank: how likely the firmware reads it; 0 is where the firmware looks first.
        way: how it was found, in words.

    Attributes:
        boots: whether it is the one that boots, as far as the disk tells; set by `mark`.
        may_boot: whether it may be the one that boots, because the disk does not tell which of several does.
    """

    def __init__(self, volume: Volume, path: str, rank: int = 0, way: str = "") -> None:
        self.volume = volume
        self.path = path
        self.rank = rank
        self.way = way
        self.boots = False
        self.may_boot = False

    @property
    def generation(self) -> int | None:
        """The generation (1 or 2) of VMs whose firmware reads a store at this path; None if none does."""
        return GENERATIONS.get(self.path)

    @cached_property
    def hive(self) -> RegistryFile:
        """Its hive. Raises NotFoundError if there is no such file, FormatError if it is no hive."""
        return RegistryFile.of(self.volume, self.path)

    @cached_property
    def store(self) -> Store:
        """The store. Raises as `hive`, and NotFoundError if the hive is no store."""
        return Store(self.hive.root)

    @cached_property
    def fault(self) -> str | None:
        """Why it cannot be read; None if it can."""
        return fault_of(lambda: self.store)

    @cached_property
    def is_no_hive(self) -> bool:
        """Whether its file has nothing of a hive, and no log beside it has: zeros, say, or another file's bytes.

        A hive that is dirty, cut short or damaged in a part is none of these: what it holds may be wanted.
        """
        if not self.fault:
            return False
        logs = [self.path + suffix for suffix in LOG_SUFFIXES]
        there = [self.path, *(log for log in logs if self.volume.has_file(log))]
        try:
            return not any(_has_part_of_a_hive(self.volume, path) for path in there)
        except ReadError:
            raise
        except VmRescueError:  # whoever opens it says why
            return False

    @property
    def resumes(self) -> bool:
        """Whether the boot manager will resume a hibernated Windows, which has this store in its memory."""
        manager = None if self.fault else self.store.find(BOOT_MANAGER)
        element = manager.element(ATTEMPT_RESUME) if manager else None
        return bool(element and element.sound_value is True)

    @property
    def loader(self) -> BcdObject | None:
        """The default boot loader; None if the store names none."""
        try:
            return self.store.default_loader()
        except NotFoundError:
            return None

    @property
    def windows_loader(self) -> BcdObject | None:
        """The default entry, where it starts a Windows that is installed: no other kind, Windows RE, or Setup.

        What is set for Windows is not set for these, and other kinds of entries do not know it.
        """
        entry = self.loader
        if entry is None or entry.type.application is not objects.Application.OS_LOADER:
            return None
        device = entry.device(OS_DEVICE)
        return None if device and isinstance(device.target, RamDisk) else entry

    def __str__(self) -> str:
        return f"\\{self.path} on {self.volume}"


def _has_part_of_a_hive(volume: Volume, path: str) -> bool:
    """Whether a file holds a bin of a hive: these, and the pages in a log, begin at whole sectors."""
    return any(BIN in piece for piece in chunks(volume.files.open(path)))


def find_boot_stores(disk: Disk) -> tuple[list[BootStore], dict[Volume, VmRescueError]]:
    """All stores of a disk, the one that boots first; and the volumes that could not be read, with the reasons."""
    found: list[BootStore] = []
    unreadable: dict[Volume, VmRescueError] = {}
    for volume in disk.volumes:
        for path in GENERATIONS if volume.readable else ():
            try:
                there = volume.has_file(path)
            except UsageError:  # names that differ only in case; opening the store reports it
                there = True
            except ReadError:
                raise
            except VmRescueError as error:
                unreadable[volume] = error
                break
            if there:
                found.append(BootStore(volume, path, *_place(disk.table.style, volume, path)))
    found = sorted(found, key=lambda store: store.rank)[:MOST]
    mark(found, found[:1])
    return found, unreadable


def mark(stores: list[BootStore], first: list[BootStore]) -> None:
    """Sets each store's `boots` (for `first`) and `may_boot` (for stores in an equally good place)."""
    best = min((store.rank for store in first), default=0)
    for store in stores:
        store.boots = store in first
        store.may_boot = store.boots or store.rank == best


def find_boot_store(disk: Disk) -> BootStore:
    """The store that boots. Raises NotFoundError if the disk has none, and the errors of opening it."""
    stores, unreadable = find_boot_stores(disk)
    if not stores:
        raise NotFoundError(why_no_store(disk, unreadable))
    stores[0].store  # noqa: B018 - raises if it is none
    return stores[0]


def why_no_store(disk: Disk, unreadable: dict[Volume, VmRescueError]) -> str:
    """The error text if no store was found."""
    style = disk.table.style
    if style == "none":
        return "the image is a bare volume, and has no boot store on it"
    path = UEFI_STORE if style == "GPT" else BIOS_STORE
    wanted = [each for each in disk.volumes if style != "GPT" or each.partition.role == "EFI system" or each.readable]
    looked = ", ".join(_looked(volume, unreadable) for volume in wanted) or "no partition for it"
    return f"there is no boot store \\{path} (generation {GENERATIONS[path]}, {style}; {looked})"


def _looked(volume: Volume, unreadable: dict[Volume, VmRescueError]) -> str:
    if volume in unreadable:
        return f"{volume} cannot be read: {unreadable[volume]}"
    return str(volume) if volume.readable else f"{volume} holds {volume.file_system or 'no known file system'}"


def _place(style: str, volume: Volume, path: str) -> tuple[int, str]:
    """A store's rank, and the reason for it, in words."""
    partition = volume.partition
    if style == "none":
        return 0, "on the bare volume"
    typed, fat = partition.role == "EFI system", volume.file_system != "NTFS"
    if path == UEFI_STORE:
        rank = 0 if typed and fat else 1 if fat else 3
        way = "on the EFI system partition" if typed else f"on a partition of the type {partition.type_name}"
        way += "" if fat else ", which is NTFS, so that firmware cannot read it"
        return (rank, way) if style == "GPT" else (rank + 1, f"{way} of an MBR disk")
    if style == "GPT":
        return 4, "where a BIOS would look for it, on a disk that a BIOS does not boot from"
    return (0, "on the active partition") if partition.active else (2, "on a partition that is not the active one")
