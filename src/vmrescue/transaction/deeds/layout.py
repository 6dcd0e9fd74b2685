"""A disk's layout: the disk made longer, a partition moved out of the way, a partition made longer with its volume.

They are seen through dissect.volume and dissect.ntfs.
"""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING, cast

from vmrescue.errors import RefusedError, RepairFailedError, UnsupportedError
from vmrescue.plan import Change, ExpandDisk, ExpandVolume, MovePartition
from vmrescue.readers.partitions import partitions_of
from vmrescue.transaction.stale import compare
from vmrescue.volume.extending import extend_partition, move_backup, move_partition
from vmrescue.volume.window import Window
from vmrescue.volumes.disk import Disk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vmrescue.image import Store
    from vmrescue.transaction.deeds.deed import Bench
    from vmrescue.windows import Volume


Expansion = ExpandDisk | ExpandVolume | MovePartition


class _Layout:
    whole = True
    together = 1

    def apply(self, changes: Sequence[Expansion], bench: Bench) -> None:
        [change] = changes
        expand(change, bench.disk(change.file))
        if isinstance(change, ExpandVolume):
            bench.restructured(change.file)

    def confirm(self, changes: Sequence[Expansion], disks: list[Disk]) -> None:
        for change in changes:
            _look_at(change, disks[change.file.disk])

    def backs_up(self, changes: Sequence[Expansion]) -> bool:
        return False


DEED = _Layout()


@singledispatch
def expand(change: Change, disk: Disk) -> None:
    """Makes a disk or a volume longer, or moves a partition.

    Raises:
        RefusedError: it is not as the change found it, or it would not be safe.
    """
    raise RefusedError(f"cannot {change.title}: it does not make room")


@expand.register
def _(change: ExpandDisk, disk: Disk) -> None:
    compare(change, change.before, disk.device.size)
    table = disk.table
    cast("Store", disk.device).resize(change.after)  # a transaction's disks are always whole containers
    move_backup(disk.device, table)


@expand.register
def _(change: MovePartition, disk: Disk) -> None:
    volume = _volume(change, disk)
    compare(change, change.before, volume.position)
    move_partition(disk.device, disk.table, volume.partition.number, change.after)
    if volume.file_system == "NTFS":
        from vmrescue.ntfs.edit.growth import follow_move

        follow_move(Window(disk.device, change.after, volume.partition.size), change.before, change.after)


@expand.register
def _(change: ExpandVolume, disk: Disk) -> None:
    from vmrescue.ntfs.edit.growth import check_growable, grow

    volume = _volume(change, disk)
    compare(change, change.before, volume.partition.size)
    if volume.file_system != "NTFS":
        raise UnsupportedError(f"{volume} holds {volume.file_system or 'no known file system'}: only NTFS is expanded")
    check_growable(volume.device)
    if change.after != change.before:  # else the volume alone is shorter than its partition
        extend_partition(disk.device, disk.table, volume.partition.number, volume.position + change.after)
    [grown] = [each for each in Disk(disk.device, disk.path).volumes if each.position == volume.position]
    grow(grown.device)


def _volume(change: Expansion, disk: Disk) -> Volume:
    volume = disk.volume(change.file.partition)
    if volume is None:
        raise RefusedError(f"cannot {change.title}: {change.file} is not on the disks given")
    return volume


def _look_at(change: Expansion, disk: Disk) -> None:
    """Raises RepairFailedError where the disk or volume is not as long, or not where, the change was to make it."""
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
    from vmrescue.readers.ntfs.file_system import NtfsFileSystem

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
