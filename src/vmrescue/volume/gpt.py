"""The GUID partition table: its header, its entry array, and its backup at the end of the disk.

Source: UEFI Specification 2.10, section 5.3 (GUID Partition Table disk layout).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING
from uuid import UUID
from zlib import crc32

from construct import Bytes, Int32ul, Int64ul, Struct

from vmrescue.dataclass import dataclass
from vmrescue.errors import FormatError, bytes_text
from vmrescue.signatures import GPT, has_signature
from vmrescue.volume.partition import Partition

if TYPE_CHECKING:
    from construct import Container

    from vmrescue.device import BlockDevice

MAX_ARRAY = 1 << 20  # bytes; the usual array of 128 entries has 16 KiB

HEADER = Struct(
    "signature" / Bytes(8),
    "revision" / Int32ul,
    "header_size" / Int32ul,  # bytes that the checksum covers, at least 92
    "header_crc32" / Int32ul,  # computed with this field zero
    "reserved" / Int32ul,
    "my_lba" / Int64ul,
    "alternate_lba" / Int64ul,  # sector of the other header
    "first_usable_lba" / Int64ul,
    "last_usable_lba" / Int64ul,
    "disk_guid" / Bytes(16),
    "entries_lba" / Int64ul,
    "entry_count" / Int32ul,
    "entry_size" / Int32ul,  # 128 times a power of two
    "entries_crc32" / Int32ul,
)
ENTRY = Struct(
    "type_guid" / Bytes(16),  # all zero: an unused slot
    "unique_guid" / Bytes(16),
    "first_lba" / Int64ul,
    "last_lba" / Int64ul,  # inclusive
    "attributes" / Int64ul,
    "name" / Bytes(72),  # UTF-16LE, up to a zero
)
CRC_OFFSET = 16
FIRST_AND_LAST = struct.Struct("<QQ")  # of an entry, from byte FIRST_AT on: first_lba, last_lba
FIRST_AT = 32
UNUSED = bytes(16)
NO_BLOCK_IO = 1 << 1  # of the attributes: UEFI makes no device of the partition


@dataclass(frozen=True)
class GptCopy:
    """One of the two copies of a GPT, header and array, with right checksums."""

    sector_size: int
    my_lba: int
    alternate_lba: int
    first_usable_lba: int
    last_usable_lba: int
    disk_guid: UUID
    entry_size: int
    entries: bytes

    @property
    def partitions(self) -> list[Partition]:
        """The partitions in used slots, valid or not. If the last sector is before the first, the size is 0 or less."""
        slots = range(0, len(self.entries), self.entry_size)
        used = [slot for slot in slots if self.entries[slot : slot + 16] != UNUSED]
        return [self._partition(slot) for slot in used]

    def _partition(self, slot: int) -> Partition:
        entry = ENTRY.parse(self.entries[slot : slot + ENTRY.sizeof()])
        name = entry.name.decode("utf-16-le", "replace")
        return Partition(
            number=slot // self.entry_size + 1,
            start=entry.first_lba * self.sector_size,
            size=(entry.last_lba + 1 - entry.first_lba) * self.sector_size,
            type=UUID(bytes_le=entry.type_guid),
            guid=UUID(bytes_le=entry.unique_guid),
            name=name.partition("\0")[0],
            attributes=entry.attributes,
        )

    def describes_the_same(self, other: GptCopy) -> bool:
        return (self.disk_guid, self.entries) == (other.disk_guid, other.entries)


def read_copy(device: BlockDevice, lba: int, sector_size: int) -> GptCopy:
    """The copy whose header is in sector `lba`. Raises FormatError if its header or array is not valid."""
    position = lba * sector_size
    sector = device.read_at(position, sector_size)
    header = HEADER.parse(sector)
    if header.signature != GPT:
        raise FormatError("GPT header", position, f"the signature {bytes_text(GPT)}", header.signature)
    if not HEADER.sizeof() <= header.header_size <= sector_size:
        raise FormatError("GPT header", position + 12, f"a size of 92 to {sector_size}", header.header_size)
    covered = bytearray(sector[: header.header_size])
    covered[CRC_OFFSET : CRC_OFFSET + 4] = bytes(4)
    if crc32(covered) != header.header_crc32:
        raise FormatError(
            "GPT header", position + CRC_OFFSET, f"the checksum {crc32(covered):#010x}", f"{header.header_crc32:#010x}"
        )
    if header.my_lba != lba:
        raise FormatError("GPT header", position + 24, f"its own sector number {lba}", header.my_lba)
    return GptCopy(
        sector_size=sector_size,
        my_lba=lba,
        alternate_lba=header.alternate_lba,
        first_usable_lba=header.first_usable_lba,
        last_usable_lba=header.last_usable_lba,
        disk_guid=UUID(bytes_le=header.disk_guid),
        entry_size=header.entry_size,
        entries=_read_entries(device, position, sector_size, header),
    )


def _read_entries(device: BlockDevice, position: int, sector_size: int, header: Container) -> bytes:
    """The entry array of the header at byte `position`."""
    size, count = header.entry_size, header.entry_count
    if size < ENTRY.sizeof() or size & (size - 1):
        raise FormatError("GPT header", position + 84, "an entry size of 128 times a power of two", size)
    if count * size > MAX_ARRAY:
        raise FormatError("GPT header", position + 80, f"entries of at most {MAX_ARRAY} bytes in all", count * size)
    start = header.entries_lba * sector_size
    entries = device.read_at(start, count * size)
    if crc32(entries) != header.entries_crc32:
        expected = f"the checksum {header.entries_crc32:#010x}"
        raise FormatError("GPT entries", start, expected, f"{crc32(entries):#010x}")
    return entries


def find_gpt(
    device: BlockDevice, sector_sizes: list[int], protected_lba: int | None
) -> tuple[GptCopy | None, list[str]]:
    """The primary copy if it is valid, else the backup, else None; and warnings about the other copy.

    Args:
        sector_sizes: possible sizes in bytes, likeliest first.
        protected_lba: the last sector that the protective MBR covers; the backup is there if the disk has grown.
    """
    sector_sizes = sorted(sector_sizes, key=lambda size: not has_signature(device, size, GPT))
    failures: list[FormatError] = []
    for sector_size in sector_sizes:
        try:
            primary = read_copy(device, 1, sector_size)
        except FormatError as error:
            failures.append(error)
        else:
            return primary, [*_compare_with_backup(device, primary), *_outside(primary)]
    for sector_size in sector_sizes:
        if backup := find_backup(device, sector_size, protected_lba):
            used = f"the backup at sector {backup.my_lba} was used instead"
            return backup, [f"the primary GPT is broken, {used}: {failures[0]}"]
    return None, [str(failures[0])]


def find_backup(device: BlockDevice, sector_size: int, protected_lba: int | None) -> GptCopy | None:
    """The backup, if it is valid, at the disk's end or at the end that the protective MBR gives; None if it is not."""
    for lba in _backup_places(device, sector_size, protected_lba):
        try:
            return read_copy(device, lba, sector_size)
        except FormatError:
            continue
    return None


def _outside(copy: GptCopy) -> list[str]:
    """Warnings for partitions that overlap the table or its backup."""
    return [f"partition {number} {said}" for number, said in _misplaced(copy).items()]


def _misplaced(copy: GptCopy) -> dict[int, str]:
    """Number -> what is said of a partition that overlaps the table or its backup."""
    first, end = (lba * copy.sector_size for lba in (copy.first_usable_lba, copy.last_usable_lba + 1))
    said = f"lies outside of bytes {first} to {end}, which the GPT has for partitions"
    return {
        partition.number: said
        for partition in copy.partitions
        if partition.size > 0 and not first <= partition.start < partition.end <= end
    }


def unseen(copy: GptCopy) -> dict[int, str]:
    """Number -> why UEFI makes no device of a partition: as its attributes ask, or where it lies outside.

    Sources: UEFI 2.10, table 5.8, "No Block IO Protocol"; github.com/tianocore/edk2, PartitionDxe/Gpt.c, which takes
    no entry either that lies outside of the sectors for partitions.
    """
    asked = {
        partition.number: "has the attribute No Block IO Protocol (bit 1)"
        for partition in copy.partitions
        if partition.attributes & NO_BLOCK_IO
    }
    return asked | _misplaced(copy)


def _backup_places(device: BlockDevice, sector_size: int, protected_lba: int | None) -> list[int]:
    """The sectors where the backup header may be: the device's last, and the last when the disk was partitioned."""
    last = device.size // sector_size - 1
    places = [last] if protected_lba is None else [last, protected_lba]
    return [lba for lba in places if 1 < lba <= last]


def _compare_with_backup(device: BlockDevice, primary: GptCopy) -> list[str]:
    """Warnings about the backup, for a disk whose primary copy is valid."""
    end = (primary.alternate_lba + 1) * primary.sector_size
    if end > device.size:
        return [f"the disk was {end} bytes long when it was partitioned, and is {device.size}: it has been cut short"]
    try:
        backup = read_copy(device, primary.alternate_lba, primary.sector_size)
    except FormatError as error:
        return [f"the backup GPT is broken: {error}"]
    if not primary.describes_the_same(backup):
        return [f"the backup GPT at sector {backup.my_lba} differs from the primary, which was used"]
    return []
