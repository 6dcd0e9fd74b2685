"""The second look at what was made longer: the table read anew, the volume through dissect.ntfs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vmrescue.errors import RepairFailedError
from vmrescue.plan import ExpandDisk, MovePartition
from vmrescue.windows.guard import reading
from vmrescue.windows.stream import DeviceStream

if TYPE_CHECKING:
    from vmrescue.plan import ExpandVolume
    from vmrescue.transaction.resizing import Expansion
    from vmrescue.windows import Disk, Volume

BITMAP, BAD_CLUSTERS = 6, 8  # file records
LAST_BITS = 8  # bytes of $Bitmap that are looked at


def look_at_expansion(change: Expansion, disks: list[Disk]) -> None:
    """Raises RepairFailedError where the disk or volume is not as long, or not where, the change was to make it."""
    disk = disks[change.file.disk]
    if disk.table.warnings:
        raise RepairFailedError(f"the partition table is not in order any more: {'; '.join(disk.table.warnings)}")
    if isinstance(change, ExpandDisk):
        _expect(change, "the disk's bytes", change.after, disk.device.size)
        return
    volume = disk.volume(change.file.partition)
    if volume is None:
        raise RepairFailedError(f"{change.file} is not there any more")
    if isinstance(change, MovePartition):
        _expect(change, "the bytes before the partition", change.after, volume.position)
        return
    _expect(change, "the partition's bytes", change.after, volume.partition.size)
    _look_at_volume(change, volume)


def _look_at_volume(change: ExpandVolume, volume: Volume) -> None:
    from dissect.ntfs import NTFS

    with reading("NTFS volume", volume.position):
        ntfs = NTFS(DeviceStream(volume.device))
        sectors, sector_size = ntfs.boot_sector.NumberSectors, ntfs.sector_size
        clusters = sectors * sector_size // ntfs.cluster_size
        bitmap = ntfs.mft.get(BITMAP).open()
        bad = ntfs.mft.get(BAD_CLUSTERS).size("$Bad")
        padding = _bits_behind(bitmap, clusters)
    device = volume.device
    _expect(change, "the volume's bytes, with the boot sector's copy", change.after, (sectors + 1) * sector_size)
    _expect(change, "bytes of $BadClus:$Bad", clusters * ntfs.cluster_size, bad)
    _expect(change, "bytes of $Bitmap", -(-clusters // 64) * 8, bitmap.size)
    _expect(change, "bits of $Bitmap that are clear behind the last cluster", 0, padding)
    if device.read_at(sectors * sector_size, sector_size) != device.read_at(0, sector_size):
        raise RepairFailedError(f"cannot confirm: {change.title}: the boot sector's copy is not what it copies")


def _bits_behind(bitmap: Any, clusters: int) -> int:
    """How many bits behind the last cluster's are clear; $Bitmap has whole groups of 64."""
    first = clusters // 64 * 8
    bitmap.seek(first)
    bits = int.from_bytes(bitmap.read(LAST_BITS).ljust(LAST_BITS, b"\xff"), "little")
    behind = ~0 << clusters % 64 & (1 << 64) - 1
    return (~bits & behind).bit_count()


def _expect(change: Expansion, what: str, expected: int, found: int) -> None:
    if expected != found:
        raise RepairFailedError(f"cannot confirm: {change.title}: {what} are {found}, not {expected}")
