"""The second look at what was made longer: the table through dissect.volume, the volume through dissect.ntfs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import RepairFailedError
from vmrescue.plan import ExpandDisk, MovePartition
from vmrescue.readers.ntfs.file_system import NtfsFileSystem
from vmrescue.readers.partitions import partitions_of

if TYPE_CHECKING:
    from vmrescue.plan import ExpandVolume
    from vmrescue.transaction.resizing import Expansion
    from vmrescue.windows import Disk, Volume


def look_at_expansion(change: Expansion, disks: list[Disk]) -> None:
    """Raises RepairFailedError where the disk or volume is not as long, or not where, the change was to make it."""
    disk = disks[change.file.disk]
    if disk.table.warnings:
        raise RepairFailedError(f"the partition table is not in order any more: {'; '.join(disk.table.warnings)}")
    _look_at_table(change, disk)
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


def _look_at_table(change: Expansion, disk: Disk) -> None:
    """The reader sees each volume where the disk has it now."""
    if disk.table.style == "none":
        return
    found = partitions_of(disk.device, disk.table.sector_size)
    for volume in disk.volumes:
        if (volume.position, volume.partition.size) not in found:
            raise RepairFailedError(
                f"cannot confirm: {change.title}: the readers do not see {volume} at byte {volume.position} "
                f"with {volume.partition.size} bytes"
            )


def _look_at_volume(change: ExpandVolume, volume: Volume) -> None:
    files = NtfsFileSystem(volume.device, volume.position)
    extent = files.extent
    clusters, sector = extent.clusters, extent.sector_size
    _expect(change, "the volume's bytes, with the boot sector's copy", change.after, extent.size + sector)
    _expect(change, "bytes of $BadClus:$Bad", clusters * files.cluster_size, extent.bad_bytes)
    _expect(change, "bytes of $Bitmap", -(-clusters // 64) * 8, extent.bitmap_bytes)
    _expect(change, "bits of $Bitmap that are clear behind the last cluster", 0, extent.clear_behind)
    if volume.device.read_at(extent.size, sector) != volume.device.read_at(0, sector):
        raise RepairFailedError(f"cannot confirm: {change.title}: the boot sector's copy is not what it copies")


def _expect(change: Expansion, what: str, expected: int, found: int) -> None:
    if expected != found:
        raise RepairFailedError(f"cannot confirm: {change.title}: {what} are {found}, not {expected}")
