"""The copy of a FAT32 volume's boot sector, where the first sector is none.

It is accepted if it describes a volume that lies in the partition and has its copy there, and if what it describes
is there: FSInfo, the first entry of the allocation table, and a root directory that comes to an end.
Source: Microsoft, "FAT32 File System Specification" 1.03: BPB_BkBootSec, BPB_FSInfo, FAT[0].
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import FormatError, UnsupportedError
from vmrescue.fat.boot_sector import parse_boot_sector, read_boot_sector
from vmrescue.fat.directory import MAX_SLOTS, SLOT_SIZE
from vmrescue.fat.info_sector import SIGNATURES
from vmrescue.fat.table import BAD, MASK_32
from vmrescue.volume.spare_boot_sector import SpareBootSector

if TYPE_CHECKING:
    from vmrescue.device import BlockDevice
    from vmrescue.fat.boot_sector import BootSector

SECTOR_SIZES = (512, 4096)
BACKUP = 6  # the copy's sector in every volume that Windows makes
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
    return _entry(boot, device, 0) == MASK_32 & ~0xFF | boot.media and _root_ends(boot, device)


def _entry(boot: BootSector, device: BlockDevice, cluster: int) -> int:
    """What the allocation table in use has for a cluster."""
    return int.from_bytes(device.read_at(boot.table_offsets[0] + 4 * cluster, 4), "little") & MASK_32


def _root_ends(boot: BootSector, device: BlockDevice) -> bool:
    """Whether the clusters of the root directory come to an end, in as many as a directory may have."""
    cluster = boot.root_cluster
    for _ in range(max(1, MAX_SLOTS * SLOT_SIZE // boot.cluster_size)):
        cluster = _entry(boot, device, cluster)
        if not boot.is_cluster(cluster):
            return cluster > BAD[boot.bits]
    return False
