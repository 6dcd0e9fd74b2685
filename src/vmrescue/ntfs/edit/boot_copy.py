"""The copy of the boot sector, in the sector behind the volume: what finds a volume whose first sector is lost.

NTFS itself never reads it while the first one is sound, so one that is missing or differs is no reason to leave a
volume alone. It lies inside the partition, but outside of the clusters.
Source: Microsoft, "How NTFS Works": the partition has one sector more than the volume.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vmrescue.errors import RefusedError
from vmrescue.ntfs.edit.boot_restore import spare_boot_sector
from vmrescue.ntfs.structures.boot_sector import read_boot_sector
from vmrescue.signatures import NTFS

if TYPE_CHECKING:
    from vmrescue.device import BlockDevice


class BootCopy(NamedTuple):
    """What there is in the copy's place.

    Attributes:
        position: the byte behind the volume, counted from its first one.
        size: bytes of a sector.
        fits: whether the partition has that sector.
        same: whether it holds the boot sector.
        free: whether it can be written: it is empty, or holds some boot sector of NTFS.
    """

    position: int
    size: int
    fits: bool
    same: bool
    free: bool


def read_boot_copy(device: BlockDevice) -> BootCopy:
    """Raises FormatError, UnsupportedError where the device holds no sound NTFS volume that can be read."""
    boot = read_boot_sector(device)
    position, size = boot.volume_size, boot.sector_size
    if device.size < position + size:
        return BootCopy(position, size, fits=False, same=False, free=False)
    sector, copy = device.read_at(0, size), device.read_at(position, size)
    return BootCopy(position, size, True, same=sector == copy, free=copy[3:11] == NTFS or not any(copy))


def write_boot_copy(device: BlockDevice) -> None:
    """Puts the copy where it belongs. Raises RefusedError where something else is there, or no room."""
    found = read_boot_copy(device)
    if spare_boot_sector(device):
        raise RefusedError(f"the sector at byte {found.position} behind the volume is better than the first: it stays")
    if not found.free:
        why = "holds something else" if found.fits else "is not in the partition"
        raise RefusedError(f"the sector at byte {found.position} behind the volume {why}: it is not written")
    device.write_at(found.position, device.read_at(0, found.size))
