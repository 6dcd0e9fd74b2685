"""The field of a boot sector, NTFS's and FAT's alike, for the volume's first sector on its disk (hidden sectors).

A BIOS boot needs it: the boot code adds it to every sector number that it reads.
Sources: Microsoft, "How NTFS Works" (hidden sectors); fatgen103, BPB_HiddSec.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vmrescue.device import BlockDevice

FIELD, FIELD_AT = struct.Struct("<I"), 0x1C


def hidden_sectors(device: BlockDevice, boot_sector: int = 0) -> int:
    """The number of the disk's sectors before the volume. `boot_sector`: the byte at which it or its copy begins."""
    return int(FIELD.unpack(device.read_at(boot_sector + FIELD_AT, FIELD.size))[0])


def write_hidden_sectors(device: BlockDevice, number: int, boot_sector: int = 0) -> None:
    """Writes what the field keeps of the number."""
    device.write_at(boot_sector + FIELD_AT, FIELD.pack(kept(number)))


def kept(number: int) -> int:
    """What the field keeps of a number of sectors: its lower 32 bits, as Windows does it."""
    return number & 0xFFFFFFFF
