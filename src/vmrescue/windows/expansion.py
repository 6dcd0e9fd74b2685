"""The changes that make the disk of a VM larger, or the reason why that is refused.

Sources of the limits: Microsoft, "Expand virtual hard disks attached to a Windows virtual machine" (OS disks up to 4095
GiB; MBR up to 2 TiB) and "Virtual Hard Disk Image Format Specification" (dynamic disks up to 2040 GiB).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import RefusedError, UsageError
from vmrescue.ntfs.edit.growth import check_growable
from vmrescue.plan import ExpandDisk, ExpandVolume, FileRef, MovePartition
from vmrescue.units import GIB, MIB, size_text
from vmrescue.volume.extending import behind, check_editable, furthest_end
from vmrescue.windows.places import find_place
from vmrescue.windows.recovery_moves import references
from vmrescue.windows.why_not import Obstacles

if TYPE_CHECKING:
    from vmrescue.plan import Change
    from vmrescue.volume import Partition
    from vmrescue.volumes.disk import Disk, Volume


AZURE_LIMIT = 4095 * GIB
MBR_LIMIT = 2048 * GIB


def expansion(disk: Disk, size: int, name: int | str | None = None, move_recovery: bool = False) -> list[Change]:
    """The changes that make a disk `size` bytes long, and extend one of its volumes into the new space.

    Args:
        disk: the image.
        size: in bytes, whole MiB. With the disk's present size the volume is extended into unused space that the disk
            already has: after the volume or, if another partition follows, inside its own partition.
        name: the volume's partition number or letter; by default the OS volume, or the only readable volume.
        move_recovery: whether recovery partitions after the volume are moved to the disk's end, with the references
            to them; otherwise such a partition is a reason to refuse.

    Raises:
        UsageError: no Azure disk can have this size.
        RefusedError: it cannot be done safely; the text gives the reason and what to do instead.
    """
    _check_size(disk, size)
    check_editable(disk.table)
    volume = _volume(disk, name)
    partition = volume.partition
    if disk.table.style == "MBR" and partition.number > 4:
        raise RefusedError(f"{volume} is a logical one, in an extended partition: those are not extended")
    if partition.role != "basic data":
        raise RefusedError(f"{volume} ({partition.type_name}) is not extended: only basic data partitions are")
    if volume.file_system != "NTFS":
        raise RefusedError(f"{volume} holds {volume.file_system or 'no known file system'}: only NTFS is expanded")
    if why := Obstacles([disk], in_place=False).why_not_on(volume):
        raise RefusedError(f"{volume} is not extended: {why}")
    check_growable(volume.device)
    index, old = disk.index, disk.device.size
    others, end = behind(disk.table, partition), furthest_end(disk.table, size)
    if (
        size == old and volume.unused >= MIB and (others or end <= partition.end)
    ):  # space in its own partition comes first
        return [ExpandVolume(FileRef(index, partition.number, ""), partition.size, partition.size)]
    _check_behind(others, volume, move_recovery)
    moves = _moves(disk, others, end)
    if moves:
        end = moves[-1].after
    if end <= partition.end:
        raise RefusedError(f"{volume} ends at byte {partition.end} already: there is no room behind it to give it")
    longer = [ExpandDisk(FileRef(index, 0, ""), old, size)] if size > old else []
    grown = ExpandVolume(FileRef(index, partition.number, ""), partition.size, end - partition.start)
    return [*longer, *moves, grown, *references(disk, moves)]


def _check_size(disk: Disk, size: int) -> None:
    old = disk.device.size
    if size % MIB:
        near = f"{-(-size // MIB)}M"
        raise UsageError(f"a disk of Azure has a size of whole MiB, and {size} bytes is none: try {near}")
    if size < old:
        raise RefusedError(f"the disk has {old} bytes ({size_text(old)}): it is not made smaller")
    if size == old:
        return
    facts = disk.device.facts
    if facts.why_not_longer:
        raise RefusedError(facts.why_not_longer)
    if size > AZURE_LIMIT:
        raise RefusedError(f"an OS disk of Azure has 4095 GiB at most, not {size_text(size)}")
    if size > MBR_LIMIT and disk.table.style == "MBR":
        raise RefusedError("an MBR's sector numbers end at 2 TiB: a larger disk needs a GPT (MBR2GPT makes one)")
    if facts.longest is not None and size > facts.longest:
        most = facts.longest // GIB
        raise RefusedError(
            f"a {facts.format} holds {most} GiB at most: make a fixed one of it first (repair --copy-to)"
        )


def _volume(disk: Disk, name: int | str | None) -> Volume:
    volume, _ = find_place(disk, None if name is None else str(name), "")
    return volume


def _check_behind(others: list[Partition], volume: Volume, move_recovery: bool) -> None:
    recovery = [other for other in others if other.role == "recovery"]
    if not others or (move_recovery and recovery == others):
        return
    first = next((other for other in others if other not in recovery), others[0])
    text = f"partition {first.number} ({first.type_name}) lies behind {volume}, where it should grow"
    raise RefusedError(f"{text}: move it out of the way with --move-recovery" if first in recovery else text)


def _moves(disk: Disk, others: list[Partition], end: int) -> list[MovePartition]:
    """The moves of partitions so that they end at byte `end`, in the order of the disk; the last one is moved first."""
    moves = []
    for other in reversed(others):
        end = (end - other.size) // MIB * MIB
        moves.append(MovePartition(FileRef(disk.index, other.number, ""), other.start, end))
    if others and end < others[-1].end:
        needed = size_text(sum(other.size for other in others))
        raise RefusedError(f"what lies behind the volume can only be moved if the disk grows by more than its {needed}")
    return moves
