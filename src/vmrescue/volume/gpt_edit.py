"""Writes a GPT: the primary copy, the backup at the disk's end, and the protective MBR.

Source: UEFI Specification 2.10, sections 5.2.3 (protective MBR) and 5.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

from vmrescue.errors import FormatError, RefusedError
from vmrescue.volume import gpt, mbr
from vmrescue.volume.partition_types import GPT_PROTECTIVE

if TYPE_CHECKING:
    from uuid import UUID

    from construct import Container

    from vmrescue.device import BlockDevice

MOST_SECTORS = 0xFFFFFFFF  # in the protective MBR of a disk with more sectors


def last_usable_end(device: BlockDevice, sector_size: int) -> int:
    """The byte after the last sector that partitions may use, if the backup is at the device's end."""
    copy = gpt.read_copy(device, 1, sector_size)
    return (device.size // sector_size - 1 - array_sectors(copy)) * sector_size


def write_table(
    device: BlockDevice, sector_size: int, places: dict[int, tuple[int, int]], types: dict[int, UUID] | None = None
) -> None:
    """Writes the backup at the device's end, and new places and types of partitions into both copies.

    Args:
        device: the disk, which may be longer than when it was partitioned.
        sector_size: in bytes.
        places: partition number -> (first byte, byte after the last).
        types: partition number -> type GUID.

    Raises:
        FormatError: the primary copy is not valid.
        RefusedError: the MBR lists partitions besides the GPT's, so two tables would have to agree.
    """
    copy = gpt.read_copy(device, 1, sector_size)
    raw = device.read_at(sector_size, sector_size)
    header = gpt.HEADER.parse(raw)
    entries = bytearray(copy.entries)
    for number, (start, end) in places.items():
        at = (number - 1) * copy.entry_size + gpt.FIRST_AT
        gpt.FIRST_AND_LAST.pack_into(entries, at, start // sector_size, end // sector_size - 1)
    for number, kind in (types or {}).items():
        at = (number - 1) * copy.entry_size
        entries[at : at + 16] = kind.bytes_le
    last, array = device.size // sector_size - 1, array_sectors(copy)
    common = {"last_usable_lba": last - array - 1, "entries_crc32": crc32(entries)}
    backup = {"my_lba": last, "alternate_lba": 1, "entries_lba": last - array}
    _protect(device, last)
    if copy.alternate_lba < last - array:
        _blank_backup(device, copy, array)
    for changes in (backup, {"alternate_lba": last}):
        fields = gpt.HEADER.parse(sealed(raw, {**header, **common, **changes}))
        device.write_at(fields.entries_lba * sector_size, bytes(entries))
        device.write_at(fields.my_lba * sector_size, sealed(raw, fields))


def array_sectors(copy: gpt.GptCopy) -> int:
    """How many sectors the entries have."""
    return -(-len(copy.entries) // copy.sector_size)


def sealed(raw: bytes, fields: Container | dict[str, object]) -> bytes:
    """The header's sector with these fields and the right checksum; bytes after the fields stay."""
    unsealed = gpt.HEADER.build({**fields, "header_crc32": 0}) + raw[gpt.HEADER.sizeof() :]
    checksum = crc32(unsealed[: gpt.HEADER.parse(raw).header_size])
    sealed: bytes = gpt.HEADER.build({**fields, "header_crc32": checksum}) + raw[gpt.HEADER.sizeof() :]
    return sealed


def _blank_backup(device: BlockDevice, copy: gpt.GptCopy, array_sectors: int) -> None:
    """Overwrites the old backup, so that no stale copy is found, for example inside a partition."""
    first = copy.alternate_lba - array_sectors
    if first > copy.last_usable_lba:
        device.write_at(first * copy.sector_size, bytes((array_sectors + 1) * copy.sector_size))


def _protect(device: BlockDevice, last_lba: int) -> None:
    """Makes the protective MBR cover the whole disk."""
    record = mbr.read_boot_record(device, 0)
    if [entry.type for entry in record.entries] != [GPT_PROTECTIVE]:
        raise RefusedError("the MBR beside the GPT is not a protective one: the table is not rewritten")
    entry = record.entries[0]
    if entry.start != 1:
        raise FormatError("protective MBR", mbr.entry_position(entry.slot) + 8, "a start at sector 1", entry.start)
    mbr.write_place(device, entry.slot, 1, min(last_lba, MOST_SECTORS), last_chs=b"\xff\xff\xff")
