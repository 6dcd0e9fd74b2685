"""The boot sector from its copy behind the volume, where the first sector is lost or boots nothing.

The copy counts where it describes a volume that ends right before it, whose file table is there; and where the first
sector still describes a volume, that has to be the same one. Source: Microsoft, "How NTFS Works".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vmrescue.errors import FormatError, RefusedError
from vmrescue.ntfs.structures.boot_sector import (
    BOOT_SECTOR_SIZE,
    DESCRIPTION,
    END,
    END_AT,
    NOT_BOOTABLE,
    PROGRAM,
    SECTOR_SIZES,
    parse_boot_sector,
)
from vmrescue.ntfs.structures.record import SIGNATURE
from vmrescue.signatures import NTFS

if TYPE_CHECKING:
    from vmrescue.device import BlockDevice
    from vmrescue.ntfs.structures.boot_sector import BootSector


class SpareBootSector(NamedTuple):
    """A copy that is better than the first sector.

    Attributes:
        position: its byte of the volume.
        size: bytes of a sector.
        first: what the first sector holds.
        copy: what the copy holds.
    """

    position: int
    size: int
    first: bytes
    copy: bytes


def spare_boot_sector(device: BlockDevice) -> SpareBootSector | None:
    """The copy of the boot sector, where the first sector is none; or where it starts nothing, and the copy does."""
    first = device.read_at(0, BOOT_SECTOR_SIZE) if device.size >= BOOT_SECTOR_SIZE else b""
    if not first or starts(first):
        return None
    is_lost = first[3:11] != NTFS or not _ends(first)
    for position, size in _places(device, first):
        copy = device.read_at(position, BOOT_SECTOR_SIZE)
        boot = _described(copy, device)
        if boot is None or not _ends(copy) or (boot.volume_size, boot.sector_size) != (position, size):
            continue
        if not (is_lost or starts(copy)):
            continue
        is_same = first[3:11] != NTFS or first[DESCRIPTION] == copy[DESCRIPTION]
        if is_same and device.read_at(boot.mft_cluster * boot.cluster_size, len(SIGNATURE)) == SIGNATURE:
            return SpareBootSector(position, size, device.read_at(0, size), device.read_at(position, size))
    return None


def starts(sector: bytes) -> bool:
    """Whether a boot sector has its signature, and a program that does more than say that it boots nothing."""
    return _ends(sector) and any(sector[PROGRAM]) and NOT_BOOTABLE not in sector


def restore_boot_sector(device: BlockDevice) -> None:
    """Puts the copy in the place of the first sector. Raises RefusedError where there is none that is better."""
    spare = spare_boot_sector(device)
    if spare is None:
        raise RefusedError("the volume has no copy of its boot sector that is better than the first sector")
    device.write_at(0, spare.copy)


def _ends(sector: bytes) -> bool:
    """Whether it has the signature at its end."""
    return sector[END_AT:BOOT_SECTOR_SIZE] == END


def _places(device: BlockDevice, first: bytes) -> list[tuple[int, int]]:
    """Where a copy may lie, and how long its sector is: behind the volume, which mostly fills its partition."""
    boot = _described(first, device)
    places = [(boot.volume_size, boot.sector_size)] if boot else []
    places += [(device.size - size, size) for size in SECTOR_SIZES]
    return [(position, size) for position, size in places if size <= position <= device.size - size]


def _described(sector: bytes, device: BlockDevice) -> BootSector | None:
    try:
        return parse_boot_sector(sector, device.size)
    except FormatError:
        return None
