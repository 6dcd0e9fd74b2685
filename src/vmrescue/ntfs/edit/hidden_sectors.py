"""Where a volume begins on its disk, as its boot sector has it: the program of a BIOS' boot sector reads by that.

Source: Microsoft, "How NTFS Works" (hidden sectors); NTFS' boot code adds it to every sector number that it reads.
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
    """What the boot sector says."""
    return int(FIELD.unpack(device.read_at(HIDDEN_AT, FIELD.size))[0])


def write_hidden_sectors(device: BlockDevice, number: int) -> None:
    """Writes it, and in the copy too where that is one now. Raises FormatError where there is no NTFS volume."""
    copy = read_boot_copy(device)
    device.write_at(HIDDEN_AT, FIELD.pack(number))
    if copy.same:
        device.write_at(copy.position + HIDDEN_AT, FIELD.pack(number))
