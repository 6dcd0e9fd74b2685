"""The copy of a FAT32 volume's boot sector, where the first sector is none.

It is accepted if it describes a volume that lies in the partition and has its copy there, and if what it describes
is there: FSInfo, the first entry of the allocation table, and a root directory that is in use.
Source: Microsoft, "FAT32 File System Specification" 1.03: BPB_BkBootSec, BPB_FSInfo, FAT[0].
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import FormatError, UnsupportedError
from vmrescue.fat.boot_sector import parse_boot_sector, read_boot_sector
from vmrescue.fat.info_sector import SIGNATURES
from vmrescue.volume.spare_boot_sector import SpareBootSector

if TYPE_CHECKING:
    from vmrescue.device import BlockDevice
    from vmrescue.fat.boot_sector import BootSector

SECTOR_SIZES = (512, 4096)
BACKUP = 6  # the copy's sector in every volume that Windows makes
MASK = 0x0FFFFFFF  # of an entry of the allocation table, the bits that count
# Of a boot sector: from its sectors' size to its root directory, but for the media byte, which says nothing of places.
DESCRIPTIONS = (slice(11, 21), slice(22, 48))


def spare_boot_sector(device: BlockDevice) -> SpareBootSector | None:
    """The copy; None if the first sector is one itself, or no copy is whole."""
    try:
        read_boot_sector(device)
    except UnsupportedError:
        return None
    except FormatError:
        pass
    else:
        return None
    for size in SECTOR_SIZES:
        position = BACKUP * size
        if position + size > device.size:
            continue
        copy = device.read_at(position, size)
        try:
            boot = parse_boot_sector(copy, device.size)
        except (FormatError, UnsupportedError):
            continue
        if (boot.kind, boot.sector_size, boot.backup_offset) == ("FAT32", size, position) and _is_there(boot, device):
            first = device.read_at(0, size)
            is_described = all(first[part] == copy[part] for part in DESCRIPTIONS)
            return SpareBootSector("FAT32", position, first, copy, is_described)
    return None


def _is_there(boot: BootSector, device: BlockDevice) -> bool:
    """Whether the volume is as its boot sector says."""
    if boot.info_offset is None or device.read_at(boot.info_offset, 4) != SIGNATURES[0]:
        return False
    table = boot.table_offsets[0]
    first, root = (
        int.from_bytes(device.read_at(table + 4 * cluster, 4), "little") & MASK for cluster in (0, boot.root_cluster)
    )
    return first == MASK & ~0xFF | boot.media and root >= 2
