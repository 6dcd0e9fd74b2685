"""Restores the boot sector from its copy after the volume, if the first sector is lost or has no boot program.

A copy is accepted if it describes a volume that ends right before it and whose file table is there. If the first sector
still describes a volume, the copy must describe the same one. Source: Microsoft, "How NTFS Works".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import FormatError
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
from vmrescue.volume.spare_boot_sector import SpareBootSector

if TYPE_CHECKING:
    from vmrescue.device import BlockDevice
    from vmrescue.ntfs.structures.boot_sector import BootSector


def spare_boot_sector(device: BlockDevice) -> SpareBootSector | None:
    """The copy, if the first sector is no boot sector, or has no boot program and the copy has one; else None."""
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
            first, copy = device.read_at(0, size), device.read_at(position, size)
            return SpareBootSector("NTFS", position, first, copy, first[DESCRIPTION] == copy[DESCRIPTION])
    return None


def starts(sector: bytes) -> bool:
    """Whether a boot sector has its signature and a boot program (not one that only says "not a bootable disk")."""
    return _ends(sector) and any(sector[PROGRAM]) and NOT_BOOTABLE not in sector


def _ends(sector: bytes) -> bool:
    """Whether a sector ends with the signature 55 AA."""
    return sector[END_AT:BOOT_SECTOR_SIZE] == END


def _places(device: BlockDevice, first: bytes) -> list[tuple[int, int]]:
    """Possible positions of a copy, with the sector's size: after the volume, and at the end of the partition."""
    boot = _described(first, device)
    places = [(boot.volume_size, boot.sector_size)] if boot else []
    places += [(device.size - size, size) for size in SECTOR_SIZES]
    return [(position, size) for position, size in places if size <= position <= device.size - size]


def _described(sector: bytes, device: BlockDevice) -> BootSector | None:
    try:
        return parse_boot_sector(sector, device.size)
    except FormatError:
        return None
