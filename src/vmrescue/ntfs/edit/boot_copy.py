"""The copy of the boot sector, in the sector after the volume. With it a volume whose first sector is lost is found.

NTFS never reads the copy while the first sector is sound, so a missing or differing copy does not stop an edit. The
copy is inside the partition, but outside of the clusters.
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
    """What is in the copy's sector.

    Attributes:
        position: the sector's position, in bytes from the volume's start.
        size: bytes of a sector.
        fits: whether the partition has that sector.
        same: whether it is equal to the boot sector.
        free: whether it may be overwritten: it is empty, or a boot sector of NTFS.
    """

    position: int
    size: int
    fits: bool
    same: bool
    free: bool


def read_boot_copy(device: BlockDevice) -> BootCopy:
    """Reads the copy's sector. Raises FormatError or UnsupportedError unless the device has a readable NTFS volume."""
    boot = read_boot_sector(device)
    position, size = boot.volume_size, boot.sector_size
    if device.size < position + size:
        return BootCopy(position, size, fits=False, same=False, free=False)
    sector, copy = device.read_at(0, size), device.read_at(position, size)
    return BootCopy(position, size, True, same=sector == copy, free=copy[3:11] == NTFS or not any(copy))


def same_copy(device: BlockDevice) -> int | None:
    """The position of the copy, where it is equal to the boot sector. Raises as `read_boot_copy`."""
    copy = read_boot_copy(device)
    return copy.position if copy.same else None


def write_boot_copy(device: BlockDevice) -> None:
    """Writes the copy. Raises RefusedError if other data is in its sector, or the partition is too short for it."""
    found = read_boot_copy(device)
    if spare_boot_sector(device):
        raise RefusedError(f"the sector at byte {found.position} behind the volume is better than the first: it stays")
    if not found.free:
        why = "holds something else" if found.fits else "is not in the partition"
        raise RefusedError(f"the sector at byte {found.position} behind the volume {why}: it is not written")
    device.write_at(found.position, device.read_at(0, found.size))
