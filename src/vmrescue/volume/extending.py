"""Making room on a disk that has grown: its table brought to the new end, and a partition extended.

Windows leaves the last MiB of a disk free, whatever the style: GPT's backup is in it, and on an MBR disk the place
where a conversion to a dynamic disk would keep its database. Partitions end on whole MiB, as Windows aligns them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import FormatError, RefusedError
from vmrescue.volume import gpt_edit, mbr

if TYPE_CHECKING:
    from vmrescue.disk.device import BlockDevice
    from vmrescue.volume.partition import Partition, PartitionTable

MIB = 1 << 20
LAST_PRIMARY = 4  # an MBR's partitions from 5 on are logical
MBR_SECTORS = 1 << 32  # its sector numbers have 32 bits


def check_editable(table: PartitionTable) -> None:
    """Raises RefusedError unless the table is one that can be rewritten without losing anything."""
    if table.style == "none":
        raise RefusedError("the image is a bare volume without a partition table: there is no partition to extend")
    if table.warnings:
        raise RefusedError(f"the partition table is not in order ({'; '.join(table.warnings)}): put that right first")


def behind(table: PartitionTable, partition: Partition) -> list[Partition]:
    """The partitions that lie behind another one, in their order on the disk."""
    return sorted((other for other in table.partitions if other.start >= partition.end), key=lambda other: other.start)


def furthest_end(table: PartitionTable, disk_size: int) -> int:
    """The byte at which the last partition of a disk of `disk_size` bytes ends."""
    end = disk_size // MIB * MIB - MIB
    return min(end, MBR_SECTORS * table.sector_size) if table.style == "MBR" else end


def move_backup(device: BlockDevice, table: PartitionTable) -> None:
    """Brings the table of a disk that has become longer to its new end: GPT's backup; an MBR has none."""
    check_editable(table)
    if table.style == "GPT":
        gpt_edit.write_table(device, table.sector_size, {})


def extend_partition(device: BlockDevice, table: PartitionTable, number: int, end: int) -> None:
    """Makes partition `number` end before byte `end` of the device.

    Raises:
        RefusedError: there is not so much room, or the table cannot say it.
    """
    check_editable(table)
    partition = next(each for each in table.partitions if each.number == number)
    if end % table.sector_size or end <= partition.end:
        raise RefusedError(f"partition {number} ends at byte {partition.end}: it cannot be extended to byte {end}")
    if any(other.start < end for other in behind(table, partition)):
        raise RefusedError(f"partition {behind(table, partition)[0].number} lies where partition {number} should grow")
    if table.style == "GPT":
        if end > gpt_edit.last_usable_end(device, table.sector_size):
            raise RefusedError(f"byte {end} lies behind what the partitions of this disk can have")
        gpt_edit.write_table(device, table.sector_size, {number: end})
    else:
        _extend_primary(device, table, partition, end)


def _extend_primary(device: BlockDevice, table: PartitionTable, partition: Partition, end: int) -> None:
    if partition.number > LAST_PRIMARY:
        raise RefusedError(f"partition {partition.number} is a logical one: those are not extended")
    last = end // table.sector_size - 1
    if end > device.size or last >= MBR_SECTORS:
        raise RefusedError(f"byte {end} lies behind what an MBR's partitions can have on this disk")
    entry = next(each for each in mbr.read_boot_record(device, 0).entries if each.slot == partition.number)
    if entry.start * table.sector_size != partition.start:
        raise FormatError("MBR entry", mbr.entry_position(entry.slot), f"a start at byte {partition.start}")
    mbr.write_sectors(device, entry.slot, last + 1 - entry.start, mbr.chs(last))
