"""Reads a disk's partition table: MBR, GPT, or a bare volume without a table."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from vmrescue.errors import CUT_SHORT, FormatError
from vmrescue.volume import gpt, mbr
from vmrescue.volume.file_system import identify
from vmrescue.volume.partition import Partition, PartitionTable
from vmrescue.volume.partition_types import GPT_PROTECTIVE

if TYPE_CHECKING:
    from uuid import UUID

    from vmrescue.device import BlockDevice
    from vmrescue.volume.partition import Style

SECTOR_SIZES = (512, 4096)
PROTECTED_FROM = 1  # the sector behind the MBR
NO_PROTECTIVE_MBR = "the protective MBR is missing: neither UEFI nor Windows sees this disk's GPT"
BAD_PROTECTIVE_MBR = "the protective MBR does not begin at sector 1: UEFI does not look for this disk's GPT"


def read_partition_table(device: BlockDevice) -> PartitionTable:
    """The disk's partition table, with warnings about what is broken in it.

    The device's sector size is only a hint, because a raw image does not have one: the table that is found decides.

    Raises:
        FormatError: there is no table and no file system, or both copies of the GPT are broken, or no entry of the
            table is inside the device.
    """
    if device.size < mbr.SECTOR:
        raise FormatError("disk", None, f"at least one sector of {mbr.SECTOR} bytes", f"{device.size} bytes")
    sector_sizes = sorted(SECTOR_SIZES, key=lambda size: size != device.sector_size)
    record, error = _read_mbr(device)
    # A GPT counts only if the MBR is protective, empty or missing: a disk converted to MBR may still have a stale GPT.
    if record is None or not record.entries or _protective(record):
        table = _read_gpt(device, record, sector_sizes)
        if table is not None:
            return table
    file_system = identify(device)
    if record is not None and (mbr.is_plausible(record, device.size) or not file_system):
        return _read_mbr_table(device, record, sector_sizes)
    if file_system:
        whole = Partition(1, 0, device.size, 0)
        return PartitionTable("none", device.sector_size, None, [whole], [])
    assert error is not None  # if there is no record, reading it failed
    raise FormatError("partition table", error.position, "an MBR, a GPT or a file system's boot sector", error.found)


def _read_mbr(device: BlockDevice) -> tuple[mbr.BootRecord | None, FormatError | None]:
    try:
        return mbr.read_boot_record(device, 0), None
    except FormatError as error:
        return None, error


def _protective(record: mbr.BootRecord) -> mbr.MbrEntry | None:
    """The entry that protects a GPT from programs that know only MBRs; None if there is none."""
    return next((entry for entry in record.entries if entry.type == GPT_PROTECTIVE), None)


def _read_gpt(device: BlockDevice, record: mbr.BootRecord | None, sector_sizes: list[int]) -> PartitionTable | None:
    """The GPT; None if there is none. Raises FormatError if the MBR is protective and neither copy is valid."""
    protective = _protective(record) if record else None
    protected_lba = protective.start + protective.sectors - 1 if protective else None
    copy, warnings = gpt.find_gpt(device, sector_sizes, protected_lba)
    if copy is None:
        if protective is None:
            return None
        raise FormatError("GPT", 512, "a sound copy at the disk's start or end", f"neither; {warnings[0]}")
    if record is None or protective is None:
        warnings.append(NO_PROTECTIVE_MBR)
    elif protective.start != PROTECTED_FROM:
        warnings.append(BAD_PROTECTIVE_MBR)
    elif len(record.entries) > 1:
        warnings.append(
            "the MBR lists partitions beside the GPT (a hybrid MBR): Windows may go by it, the GPT was used here"
        )
    table = _table(device, "GPT", copy.sector_size, copy.disk_guid, copy.partitions, warnings)
    return replace(table, unseen=gpt.unseen(copy))


def _read_mbr_table(device: BlockDevice, record: mbr.BootRecord, sector_sizes: list[int]) -> PartitionTable:
    """The MBR's table, in the sector size with which most partitions begin with a file system; else the likeliest."""
    sector_size = max(sector_sizes, key=lambda size: _file_systems(device, record, size))
    partitions, warnings = mbr.read_partitions(device, record, sector_size)
    return _table(device, "MBR", sector_size, record.disk_signature, partitions, warnings)


def _file_systems(device: BlockDevice, record: mbr.BootRecord, sector_size: int) -> int:
    """How many of the MBR's partitions begin with a known boot sector if sectors have `sector_size` bytes."""
    partitions = [entry.to_partition(entry.slot, 0, sector_size) for entry in record.entries]
    return sum(1 for p in partitions if p.size >= 512 and p.end <= device.size and identify(p.open(device)))


def _table(
    device: BlockDevice,
    style: Style,
    sector_size: int,
    disk_id: int | UUID,
    listed: list[Partition],
    warnings: list[str],
) -> PartitionTable:
    """A table of those `listed` partitions that can be written to safely. Raises FormatError if there are none.

    A partition that begins on the disk and ends after it is listed as far as the disk goes. Its file system then shows
    whether anything is missing: NTFS misses nothing if only the partition's last sector is cut off.
    """
    complaints = [text for partition in listed if (text := _misplaced(partition, device.size, sector_size))]
    placed = [partition for partition in listed if not _misplaced(partition, device.size, sector_size)]
    complaints += [_cut_short(each, device.size) for each in placed if each.end > device.size]
    beyond = {each.number: _lacks(each, device.size) for each in listed if each.end > device.size}
    placed = [replace(each, size=min(each.size, device.size - each.start)) for each in placed]
    overlapping: set[int] = set()
    for first, second in _overlaps(placed):
        overlapping |= {first.number, second.number}
        complaints.append(f"partitions {first.number} and {second.number} overlap; both are left out")
    kept = [partition for partition in placed if partition.number not in overlapping]
    if listed and not kept:
        expected, found = f"a partition inside the disk's {device.size} bytes", "; ".join(complaints)
        raise FormatError(style, None, expected, found, advice=CUT_SHORT if beyond else "")
    overlap = frozenset(overlapping)
    return PartitionTable(style, sector_size, disk_id, kept, warnings + complaints, beyond, overlapping=overlap)


def _misplaced(partition: Partition, disk_size: int, sector_size: int) -> str | None:
    """Why the partition cannot be where the table says; None if it can."""
    if partition.size <= 0:
        return f"partition {partition.number} has no sectors; it is left out"
    if partition.start < sector_size:
        return f"partition {partition.number} begins on the partition table itself; it is left out"
    if partition.start >= disk_size:
        return f"{_beyond(partition, disk_size)}; it is left out"
    return None


def _lacks(partition: Partition, disk_size: int) -> str:
    lacking = min(partition.end - disk_size, partition.size)
    return (
        f"partition {partition.number} reaches to byte {partition.end}, and the disk ends at byte {disk_size}: "
        f"{lacking} of its {partition.size} bytes are missing"
    )


def _cut_short(partition: Partition, disk_size: int) -> str:
    lacking = partition.end - disk_size
    return f"{_beyond(partition, disk_size)}: {lacking} of its {partition.size} bytes are missing"


def _beyond(partition: Partition, disk_size: int) -> str:
    return (
        f"partition {partition.number} ends at byte {partition.end}, beyond the disk's {disk_size} bytes "
        "(an image cut short, or a wrong table)"
    )


def _overlaps(partitions: list[Partition]) -> list[tuple[Partition, Partition]]:
    """Pairs of overlapping partitions; each that overlaps is in at least one pair. Extended partitions are exempt."""
    pairs = []
    furthest: Partition | None = None
    for partition in sorted((p for p in partitions if p.role != "extended"), key=lambda p: p.start):
        if furthest and partition.start < furthest.end:
            pairs.append((furthest, partition))
        if furthest is None or partition.end > furthest.end:
            furthest = partition
    return pairs
