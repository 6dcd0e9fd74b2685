"""Uses the new space of a disk that has grown: moves the table's backup to the new end, moves or extends a partition.

Windows leaves the last MiB of a disk free: on a GPT disk for the backup, on an MBR disk for the database of a
conversion to a dynamic disk. Partitions end on whole MiB, as Windows aligns them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.device import next_data
from vmrescue.errors import RefusedError
from vmrescue.volume import gpt_edit, mbr

if TYPE_CHECKING:
    from vmrescue.device import BlockDevice
    from vmrescue.volume.partition import Partition, PartitionTable

MIB = 1 << 20
LAST_PRIMARY = 4  # an MBR disk's partitions from 5 on are logical
MBR_SECTORS = 1 << 32  # its sector numbers have 32 bits


def check_editable(table: PartitionTable) -> None:
    """Raises RefusedError unless the table can be rewritten without loss."""
    if table.style == "none":
        raise RefusedError("the image is a bare volume without a partition table: there is no partition to extend")
    for partition in table.partitions:
        if partition.part_of:
            raise RefusedError(
                f"partition {partition.number} ({partition.type_name}) makes the disk a part of {partition.part_of}, "
                "whose own records say how long it is and what lies where: its table is not changed, nor its length"
            )
    if table.warnings:
        raise RefusedError(
            f"the partition table is not in order ({'; '.join(table.warnings)}): put that right first; of a GPT's lost"
            " parts a repair does that"
        )


def behind(table: PartitionTable, partition: Partition) -> list[Partition]:
    """The partitions after another one, in their order on the disk."""
    return sorted((other for other in table.partitions if other.start >= partition.end), key=lambda other: other.start)


def furthest_end(table: PartitionTable, disk_size: int) -> int:
    """The byte at which the last partition of a disk of `disk_size` bytes may end at most."""
    end = disk_size // MIB * MIB - MIB
    return min(end, MBR_SECTORS * table.sector_size) if table.style == "MBR" else end


def move_backup(device: BlockDevice, table: PartitionTable) -> None:
    """Moves GPT's backup to the new end of a disk that has become longer. An MBR has no backup."""
    check_editable(table)
    if table.style == "GPT":
        gpt_edit.write_table(device, table.sector_size, {})


def extend_partition(device: BlockDevice, table: PartitionTable, number: int, end: int) -> None:
    """Makes partition `number` end before byte `end` of the device.

    Raises:
        RefusedError: there is not enough room, or the table cannot represent it.
    """
    partition = _partition(table, number)
    if partition.role != "basic data":
        raise RefusedError(f"partition {number} ({partition.type_name}) is not extended: only basic data ones are")
    if end <= partition.end:
        raise RefusedError(f"partition {number} ends at byte {partition.end}: it cannot be extended to byte {end}")
    _place(device, table, partition, partition.start, end)


def move_partition(device: BlockDevice, table: PartitionTable, number: int, start: int) -> None:
    """Moves partition `number` to byte `start`, which is after its present end, and copies its content there.

    Raises:
        RefusedError: there is not enough room, or the table cannot represent it.
    """
    partition = _partition(table, number)
    if partition.role != "recovery":
        raise RefusedError(f"partition {number} ({partition.type_name}) is not moved: only recovery ones are")
    if start < partition.end:
        raise RefusedError(f"partition {number} ends at byte {partition.end}: it cannot be moved to byte {start}")
    _place(device, table, partition, start, start + partition.size)
    offset = 0
    while (offset := _next_written(device, partition, start, offset)) < partition.size:
        length = min(MIB, partition.size - offset)
        content = device.read_at(partition.start + offset, length)
        if content != device.read_at(start + offset, length):
            device.write_at(start + offset, content)
        offset += length


def _next_written(device: BlockDevice, partition: Partition, start: int, offset: int) -> int:
    """The first offset in a partition, from `offset` on, that may be nonzero in its old or its new place."""
    return min(next_data(device, place + offset) - place for place in (partition.start, start))


def _partition(table: PartitionTable, number: int) -> Partition:
    check_editable(table)
    return next(each for each in table.partitions if each.number == number)


def _place(device: BlockDevice, table: PartitionTable, partition: Partition, start: int, end: int) -> None:
    """Writes into the table that a partition has the bytes [start, end)."""
    if start % table.sector_size or end % table.sector_size:
        raise RefusedError(f"partitions of this disk consist of whole sectors of {table.sector_size} bytes")
    for other in table.partitions:
        if other.number != partition.number and other.start < end and start < other.end:
            raise RefusedError(f"partition {other.number} lies where partition {partition.number} is to be")
    if table.style == "GPT":
        if end > gpt_edit.last_usable_end(device, table.sector_size):
            raise RefusedError(f"byte {end} lies behind what the partitions of this disk can have")
        gpt_edit.write_table(device, table.sector_size, {partition.number: (start, end)})
    else:
        _place_primary(device, table, partition, start, end)


def _place_primary(device: BlockDevice, table: PartitionTable, partition: Partition, start: int, end: int) -> None:
    if partition.number > LAST_PRIMARY:
        raise RefusedError(f"partition {partition.number} is a logical one: those are not extended")
    first, last = start // table.sector_size, end // table.sector_size - 1
    if end > device.size or last >= MBR_SECTORS:
        raise RefusedError(f"byte {end} lies behind what an MBR's partitions can have on this disk")
    mbr.write_place(device, partition.number, first, last + 1 - first)
