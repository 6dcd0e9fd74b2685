"""The field in the boot sector for the volume's first sector on its disk (hidden sectors), which a BIOS boot needs.

NTFS's boot code adds it to every sector number that it reads. Source: Microsoft, "How NTFS Works" (hidden sectors).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from vmrescue.ntfs.edit.boot_copy import read_boot_copy
from vmrescue.ntfs.structures.boot_sector import HIDDEN_AT

if TYPE_CHECKING:
    from vmrescue.device import BlockDevice

FIELD = struct.Struct("<I")


def hidden_sectors(device: BlockDevice) -> int:
    """The number in the boot sector: sectors of the disk before the volume."""
    return int(FIELD.unpack(device.read_at(HIDDEN_AT, FIELD.size))[0])


def write_hidden_sectors(device: BlockDevice, number: int) -> None:
    """Writes the number, also into the copy if it equals the boot sector. FormatError if there is no NTFS volume."""
    copy = read_boot_copy(device)
    device.write_at(HIDDEN_AT, FIELD.pack(number))
    if copy.same:
        device.write_at(copy.position + HIDDEN_AT, FIELD.pack(number))
