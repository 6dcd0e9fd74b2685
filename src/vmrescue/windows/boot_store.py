r"""Where the boot configuration data lies, and which generation of VM boots from it.

Generation 1 (BIOS, MBR): ``\Boot\BCD`` on the active partition. Generation 2 (UEFI, GPT): ``\EFI\Microsoft\Boot\BCD``
on the EFI system partition. A disk may hold both stores; the partition style, which the firmware goes by, decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmrescue.bcd import Store
from vmrescue.errors import NotFoundError
from vmrescue.windows.registry_file import RegistryFile

if TYPE_CHECKING:
    from vmrescue.bcd import BcdObject
    from vmrescue.volumes.disk import Disk, Volume

BIOS_STORE = r"Boot\BCD"
UEFI_STORE = r"EFI\Microsoft\Boot\BCD"


@dataclass(frozen=True)
class BootStore:
    """The store that boots this disk."""

    generation: int
    volume: Volume
    hive: RegistryFile
    store: Store

    @property
    def loader(self) -> BcdObject | None:
        """The default boot loader; None where the store names none."""
        try:
            return self.store.default_loader()
        except NotFoundError:
            return None


def find_boot_store(disk: Disk) -> BootStore:
    """Raises NotFoundError where the disk has no store, and what the hive's reader raises where it is no hive."""
    generation = 2 if disk.table.style == "GPT" else 1
    path = UEFI_STORE if generation == 2 else BIOS_STORE
    candidates = [volume for volume in _boot_order(disk, generation) if volume.readable]
    for volume in candidates:
        if volume.files.size_of(path) is not None:
            hive = RegistryFile(volume, path)
            return BootStore(generation, volume, hive, Store(hive.root))
    looked = ", ".join(_described(volume) for volume in _boot_order(disk, generation)) or "no partition for it"
    raise NotFoundError(f"no boot store: there is no \\{path} (generation {generation}, {disk.table.style}; {looked})")


def _described(volume: Volume) -> str:
    return str(volume) if volume.readable else f"{volume} holds {volume.file_system or 'no known file system'}"


def _boot_order(disk: Disk, generation: int) -> list[Volume]:
    """The volumes on which the firmware's boot program would look, the likeliest first.

    An MBR disk without an active partition cannot start, but its store can still be looked at and mended.
    """
    if generation == 2:
        return [volume for volume in disk.volumes if volume.partition.role == "EFI system"]
    return sorted(disk.volumes, key=lambda volume: not volume.partition.active)
