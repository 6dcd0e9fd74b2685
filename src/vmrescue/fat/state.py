"""Whether a FAT volume was dismounted cleanly.

Source: Microsoft, fatgen103, "FAT Data Structure" (the volume dirty bits of FAT[1]); the boot sector's state byte is
what Windows's own driver sets beside them (bit 0: mounted, bit 1: errors seen).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.fat.boot_sector import read_boot_sector
from vmrescue.fat.table import Table
from vmrescue.image.pending_writes import PendingWrites
from vmrescue.volume.state import StateName, VolumeState

if TYPE_CHECKING:
    from vmrescue.device import BlockDevice
    from vmrescue.fat.boot_sector import BootSector

CLEAN_SHUTDOWN = {16: 0x8000, 32: 0x08000000}  # bits of entry 1; a 12-bit table has none
NO_ERRORS = {16: 0x4000, 32: 0x04000000}
BOOT_DIRTY, BOOT_ERRORS = 0x01, 0x02


def volume_state(device: BlockDevice) -> VolumeState:
    """The state of a volume. Raises FormatError if it is no FAT volume."""
    boot = read_boot_sector(device)
    return read_state(boot, Table(PendingWrites(device, boot.sector_size), boot))


def read_state(boot: BootSector, table: Table) -> VolumeState:
    """What the volume's flags say. A dirty volume can be read and edited: Windows does so, after a check at boot."""
    reasons = []
    entry = table.get(1)
    if boot.bits > 12 and not entry & CLEAN_SHUTDOWN[boot.bits]:
        reasons.append("the allocation table says that the volume was not dismounted cleanly")
    if boot.bits > 12 and not entry & NO_ERRORS[boot.bits]:
        reasons.append("the allocation table says that the last mount met disk errors")
    if boot.state & BOOT_DIRTY:
        reasons.append("the boot sector says that the volume was not dismounted cleanly")
    if boot.state & BOOT_ERRORS:
        reasons.append("the boot sector asks for a test of the disk's surface")
    return VolumeState(StateName.DIRTY if reasons else StateName.CLEAN, reasons)
