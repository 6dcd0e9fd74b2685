"""Where a volume begins on its disk, as its boot sector has it: the program of a BIOS' boot sector reads by that.

Source: Microsoft's fatgen103, BPB_HiddSec.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from vmrescue.fat.boot_sector import read_boot_sector

if TYPE_CHECKING:
    from vmrescue.device import BlockDevice

HIDDEN_AT, FIELD = 0x1C, struct.Struct("<I")


def hidden_sectors(device: BlockDevice) -> int:
    """What the boot sector says."""
    return int(FIELD.unpack(device.read_at(HIDDEN_AT, FIELD.size))[0])


def write_hidden_sectors(device: BlockDevice, number: int) -> None:
    """Writes it, and in FAT32's backup too where that is the same now. Raises FormatError where there is no FAT."""
    boot = read_boot_sector(device)
    first, size = device.read_at(0, boot.sector_size), boot.sector_size
    device.write_at(HIDDEN_AT, FIELD.pack(number))
    if boot.backup_offset is not None and device.read_at(boot.backup_offset, size) == first:
        device.write_at(boot.backup_offset + HIDDEN_AT, FIELD.pack(number))
