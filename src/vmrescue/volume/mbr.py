"""The master boot record, and the chain of extended boot records.

Source: Microsoft, "Basic Disks and Volumes Technical Reference" (master boot record, extended boot record).
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from construct import Array, Bytes, Const, ConstError, Int8ul, Int16ul, Int32ul, Struct

from vmrescue.errors import FormatError
from vmrescue.signatures import BOOT_SIGNATURE
from vmrescue.volume.partition import Partition
from vmrescue.volume.partition_types import EXTENDED_TYPES

if TYPE_CHECKING:
    from vmrescue.device import BlockDevice

SECTOR = 512  # bytes of a boot record, also on disks with larger sectors
ENTRIES_AT = 446
SLOTS = 4
ACTIVE = 0x80
HEADS, SECTORS = 255, 63  # the geometry that BIOSes and Windows assume for large disks
CYLINDERS = 1024  # a cylinder number has ten bits
MAX_LOGICAL = 255  # far more than any system makes; ends a hostile chain

ENTRY = Struct(
    "boot_flag" / Int8ul,  # ACTIVE, or 0
    "first_chs" / Bytes(3),
    "type" / Int8ul,
    "last_chs" / Bytes(3),
    "start" / Int32ul,  # sectors from the disk's start; in an extended boot record see `_read_chain`
    "sectors" / Int32ul,
)
BOOT_RECORD = Struct(
    "code" / Bytes(440),
    "disk_signature" / Int32ul,
    "copy_protected" / Int16ul,
    "entries" / Array(SLOTS, ENTRY),
    "signature" / Const(BOOT_SIGNATURE),
)


class MbrEntry(NamedTuple):
    """A used slot of a boot record; `start` and `sectors` as stored."""

    slot: int
    boot_flag: int
    type: int
    start: int
    sectors: int

    def to_partition(self, number: int, base: int, sector_size: int) -> Partition:
        """The partition that it describes; its start counts from sector `base`."""
        start = (base + self.start) * sector_size
        return Partition(number, start, self.sectors * sector_size, self.type, active=self.boot_flag == ACTIVE)


class BootRecord(NamedTuple):
    """A master or extended boot record."""

    disk_signature: int
    entries: list[MbrEntry]


def read_boot_record(device: BlockDevice, position: int) -> BootRecord:
    """The boot record at byte `position`. Raises FormatError if its signature 55 AA is missing."""
    data = device.read_at(position, SECTOR)
    try:
        record = BOOT_RECORD.parse(data)
    except ConstError:
        raise FormatError("boot record", position + 510, "the signature 55 AA", data[510:].hex(" ")) from None
    entries = [MbrEntry(i, e.boot_flag, e.type, e.start, e.sectors) for i, e in enumerate(record.entries, 1) if e.type]
    return BootRecord(record.disk_signature, entries)


def entry_position(slot: int) -> int:
    """The offset in the master boot record of the entry of a slot, counted from 1."""
    return ENTRIES_AT + (slot - 1) * int(ENTRY.sizeof())


def write_place(device: BlockDevice, slot: int, start: int, sectors: int, last_chs: bytes | None = None) -> None:
    """Changes the place of the partition in a slot of the master boot record; start and length in sectors."""
    position = entry_position(slot)
    fields = ENTRY.parse(device.read_at(position, ENTRY.sizeof()))
    changed = {"start": start, "sectors": sectors, "last_chs": last_chs or chs(start + sectors - 1)}
    if start != fields.start:
        changed["first_chs"] = chs(start)
    device.write_at(position, ENTRY.build({**fields, **changed}))


def write_only_entry(device: BlockDevice, kind: int, start: int, sectors: int) -> None:
    """Makes a boot record whose only partition is this one, not active; its program and signature of the disk stay."""
    last = start + sectors - 1
    last_chs = chs(last) if last < CYLINDERS * HEADS * SECTORS else b"\xff\xff\xff"  # UEFI 2.10, 5.2.3
    entry = {"boot_flag": 0, "first_chs": chs(start), "type": kind, "last_chs": last_chs}
    entries = ENTRY.build({**entry, "start": start, "sectors": sectors}).ljust(SLOTS * ENTRY.sizeof(), b"\0")
    device.write_at(ENTRIES_AT, entries + BOOT_SIGNATURE)


def active_slots(device: BlockDevice) -> list[int]:
    """The slots, counted from 1, whose partition is active. For a BIOS to start from the disk there must be one."""
    return [entry.slot for entry in read_boot_record(device, 0).entries if entry.boot_flag == ACTIVE]


def numbers_text(numbers: list[int]) -> str:
    """Numbers as text: ``1``; ``1, 3``; ``none``."""
    return ", ".join(map(str, numbers)) or "none"


def write_active(device: BlockDevice, slot: int) -> None:
    """Marks only the partition in a slot of the master boot record as active."""
    for each in range(1, SLOTS + 1):
        device.write_at(entry_position(each), bytes([ACTIVE if each == slot else 0]))


def chs(lba: int) -> bytes:
    """A sector's number as cylinder, head and sector; the largest possible if it does not fit, as Windows writes it."""
    track, sector = divmod(lba, SECTORS)
    cylinder, head = divmod(track, HEADS)
    if cylinder >= CYLINDERS:
        cylinder, head, sector = CYLINDERS - 1, HEADS - 1, SECTORS - 1
    return bytes([head, cylinder >> 2 & 0xC0 | sector + 1, cylinder & 0xFF])


def is_plausible(record: BootRecord, device_size: int) -> bool:
    """Whether it is a partition table, and not a boot sector with program code in the table's place."""
    runs = sorted((entry.start, entry.start + entry.sectors) for entry in record.entries)
    apart = all(end <= start for (_, end), (start, _) in pairwise(runs))
    flags_known = all(entry.boot_flag in (0, ACTIVE) for entry in record.entries)
    inside = all(0 < start < end and end * SECTOR <= device_size for start, end in runs)
    return bool(runs) and apart and flags_known and inside


def read_partitions(device: BlockDevice, record: BootRecord, sector_size: int) -> tuple[list[Partition], list[str]]:
    """All partitions of the record and its extended chains, valid or not, and warnings about the chains."""
    partitions = [entry.to_partition(entry.slot, 0, sector_size) for entry in record.entries]
    warnings: list[str] = []
    for extended in [partition for partition in partitions if partition.type in EXTENDED_TYPES]:
        if extended.end > device.size or not extended.size:
            continue  # reported later, with all other entries that do not fit
        first_number = max(5, 1 + max(partition.number for partition in partitions))
        partitions += _read_chain(device, extended, first_number, sector_size, warnings)
    return partitions, warnings


def _read_chain(
    device: BlockDevice, extended: Partition, number: int, sector_size: int, warnings: list[str]
) -> list[Partition]:
    """The logical partitions of an extended one. Each boot record has one, and a link to the next record.

    A logical partition's start counts from its own boot record; a link counts from the extended partition.
    """
    found: list[Partition] = []
    seen: set[int] = set()
    base = extended.start // sector_size
    position = base
    while True:
        seen.add(position)
        try:
            record = read_boot_record(device, position * sector_size)
        except FormatError as error:
            warnings.append(f"the chain of logical partitions is broken, those behind it are not seen: {error}")
            return found
        for entry in record.entries[:2]:
            if entry.type not in EXTENDED_TYPES:
                found.append(entry.to_partition(number + len(found), position, sector_size))
        link = next((entry.start for entry in record.entries[:2] if entry.type in EXTENDED_TYPES), None)
        if link is None:
            return found
        position = base + link
        if position in seen or position * sector_size >= extended.end or len(seen) >= MAX_LOGICAL:
            warnings.append(
                f"the chain of logical partitions leads to byte {position * sector_size}, "
                "which is a place already seen, outside the extended partition, or too far along; it ends there"
            )
            return found
