"""Making the disk of a VM larger: what has to change, or why it cannot be.

Sources of the limits: Microsoft, "Expand virtual hard disks attached to a Windows virtual machine" (OS disks up to 4095
GiB; MBR up to 2 TiB) and "Virtual Hard Disk Image Format Specification" (dynamic disks up to 2040 GiB).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import NotFoundError, RefusedError, UsageError
from vmrescue.ntfs.growth import check_growable
from vmrescue.plan import ExpandDisk, ExpandVolume, FileRef
from vmrescue.units import size_text
from vmrescue.volume.extending import behind, check_editable, furthest_end
from vmrescue.windows.installation import Installation

if TYPE_CHECKING:
    from vmrescue.plan import Change
    from vmrescue.volume import Partition
    from vmrescue.windows.disk import Disk
    from vmrescue.windows.volume import Volume

MIB, GIB = 1 << 20, 1 << 30
AZURE_LIMIT = 4095 * GIB
MBR_LIMIT = 2048 * GIB
DYNAMIC_LIMIT = 2040 * GIB


def expansion(disk: Disk, container: str, size: int, number: int | None = None) -> list[Change]:
    """The changes that make a disk `size` bytes long, and one of its volumes fill what is new.

    Args:
        disk: the image.
        container: its format, as `VirtualDisk.format` names it.
        size: in bytes, whole MiB; the disk's own size gives the volume the room that a disk already has.
        number: the volume's partition; the OS volume's unless given.

    Raises:
        UsageError: no disk of Azure has such a size.
        RefusedError: it cannot be done safely, with the reason and what to do instead.
    """
    _check_size(disk, container, size)
    check_editable(disk.table)
    volume = _volume(disk, number)
    partition = volume.partition
    if disk.table.style == "MBR" and partition.number > 4:
        raise RefusedError(f"{volume} is a logical one, in an extended partition: those are not extended")
    _check_nothing_behind(behind(disk.table, partition), volume)
    if volume.file_system != "NTFS":
        raise RefusedError(f"{volume} holds {volume.file_system or 'no known file system'}: only NTFS is expanded")
    check_growable(volume.device)
    end = furthest_end(disk.table, size)
    if end <= partition.end:
        raise RefusedError(f"{volume} ends at byte {partition.end} already: there is no room behind it to give it")
    index, old = disk.index, disk.device.size
    longer: list[Change] = [ExpandDisk(FileRef(index, 0, ""), old, size)] if size > old else []
    return [*longer, ExpandVolume(FileRef(index, partition.number, ""), partition.size, end - partition.start)]


def _check_size(disk: Disk, container: str, size: int) -> None:
    old = disk.device.size
    if size % MIB:
        raise UsageError(f"a disk of Azure has a size of whole MiB; {size} bytes are none")
    if size < old:
        raise RefusedError(f"the disk has {old} bytes ({size_text(old)}): it is not made smaller")
    if size == old:
        return
    if container == "block device":
        raise RefusedError("a block device cannot be made longer from here: resize the disk where it is defined first")
    if container == "differencing VHD":
        raise RefusedError("a differencing VHD has its parent's size: merge it, or expand a copy of it")
    if size > AZURE_LIMIT:
        raise RefusedError(f"an OS disk of Azure has 4095 GiB at most, not {size_text(size)}")
    if size > MBR_LIMIT and disk.table.style == "MBR":
        raise RefusedError("an MBR's sector numbers end at 2 TiB: a larger disk needs a GPT (MBR2GPT makes one)")
    if size > DYNAMIC_LIMIT and container == "dynamic VHD":
        raise RefusedError("a dynamic VHD holds 2040 GiB at most: make a fixed one of it first (repair --copy-to)")


def _volume(disk: Disk, number: int | None) -> Volume:
    if number is None:
        windows = Installation([disk]).os
        if windows is None:
            raise RefusedError("the OS volume is encrypted with BitLocker: unlock it first")
        return windows.volume
    volume = disk.volume(number)
    if volume is None:
        raise NotFoundError(f"the disk has no partition {number}")
    return volume


def _check_nothing_behind(others: list[Partition], volume: Volume) -> None:
    if not others:
        return
    first = others[0]
    text = f"partition {first.number} ({first.type_name}) lies behind {volume}, where it should grow"
    if first.role == "recovery":
        text += ": start the VM elsewhere or move it first (reagentc /disable, delete it, expand, reagentc /enable)"
    raise RefusedError(text)
