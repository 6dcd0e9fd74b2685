"""The deeds that make room: a disk made longer, a partition moved out of the way, a partition with its volume."""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING, cast

from vmrescue.errors import RefusedError, UnsupportedError
from vmrescue.ntfs.edit.growth import check_growable, follow_move, grow
from vmrescue.plan import Change, ExpandDisk, ExpandVolume, MovePartition
from vmrescue.transaction.stale import stale
from vmrescue.volume.extending import extend_partition, move_backup, move_partition
from vmrescue.volume.window import Window
from vmrescue.volumes.disk import Disk

if TYPE_CHECKING:
    from vmrescue.image import Store
    from vmrescue.windows import Volume


Expansion = ExpandDisk | ExpandVolume | MovePartition


def make_room(changes: list[Change], disks: list[Disk]) -> tuple[list[Change], list[Disk], set[Volume]]:
    """Makes the changes of the disk's layout, which come before all others.

    Returns the other changes, the disks with their tables as they are now, and the volumes that are longer.
    """
    expansions = [change for change in changes if isinstance(change, Expansion)]
    for change in expansions:
        disk = _disk(change, disks)
        expand(change, disk)
        disks = [each.anew() if each is disk else each for each in disks]
    volumes = [
        disks[change.file.disk].volume(change.file.partition)
        for change in expansions
        if isinstance(change, ExpandVolume)
    ]
    rest = [change for change in changes if change not in expansions]
    return rest, disks, {volume for volume in volumes if volume}


def _disk(change: Expansion, disks: list[Disk]) -> Disk:
    if change.file.disk >= len(disks):
        raise RefusedError(f"the plan expands {change.file}, which is not among the disks given")
    return disks[change.file.disk]


@singledispatch
def expand(change: Change, disk: Disk) -> None:
    """Makes a disk or a volume longer, or moves a partition.

    Raises:
        RefusedError: it is not as the change found it, or it would not be safe.
    """
    raise RefusedError(f"cannot {change.title}: it does not make room")


@expand.register
def _(change: ExpandDisk, disk: Disk) -> None:
    _compare(change, disk.device.size)
    table = disk.table
    cast("Store", disk.device).resize(change.after)  # a transaction's disks are always whole containers
    move_backup(disk.device, table)


@expand.register
def _(change: MovePartition, disk: Disk) -> None:
    volume = _volume(change, disk)
    _compare(change, volume.position)
    move_partition(disk.device, disk.table, volume.partition.number, change.after)
    if volume.file_system == "NTFS":
        follow_move(Window(disk.device, change.after, volume.partition.size), change.before, change.after)


@expand.register
def _(change: ExpandVolume, disk: Disk) -> None:
    volume = _volume(change, disk)
    _compare(change, volume.partition.size)
    if volume.file_system != "NTFS":
        raise UnsupportedError(f"{volume} holds {volume.file_system or 'no known file system'}: only NTFS is expanded")
    check_growable(volume.device)
    extend_partition(disk.device, disk.table, volume.partition.number, volume.position + change.after)
    [grown] = [each for each in Disk(disk.device, disk.path).volumes if each.position == volume.position]
    grow(grown.device)


def _volume(change: Expansion, disk: Disk) -> Volume:
    volume = disk.volume(change.file.partition)
    if volume is None:
        raise RefusedError(f"cannot {change.title}: {change.file} is not on the disks given")
    return volume


def _compare(change: Expansion, found: int) -> None:
    if found != change.before:
        raise stale(f"cannot {change.title}: the plan found {change.before_text}, and now there is {found}")
