"""The copy of FAT32's boot sector is taken for better only where all that it describes is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fat.volumes import assert_fsck_content, formatted
from support.memory_device import MemoryDevice
from vmrescue.fat.boot_restore import spare_boot_sector

if TYPE_CHECKING:
    from pathlib import Path

SECTOR = 512
COPY, INFO = 6 * SECTOR, 1 * SECTOR
MEDIA, TABLES, SECTORS, FAT_SIZE, ROOT, BACKUP = 21, 14, 32, 36, 44, 50  # fields of a boot sector


def erased(bits: int = 32) -> MemoryDevice:
    """A volume whose first sector is zeros."""
    device = MemoryDevice(formatted(bits))
    device.write_at(0, bytes(SECTOR))
    return device


def number(device: MemoryDevice, offset: int, length: int) -> int:
    return int.from_bytes(device.read_at(offset, length), "little")


def table(device: MemoryDevice) -> int:
    """Where the first allocation table begins, as the copy says."""
    return number(device, COPY + TABLES, 2) * SECTOR


def test_the_copy_makes_the_volume_what_it_was(tmp_path: Path) -> None:
    device = erased()
    spare = spare_boot_sector(device)
    assert spare is not None
    assert (spare.file_system, spare.position, spare.is_described) == ("FAT32", COPY, False)
    device.write_at(0, spare.copy)
    assert bytes(device.data) == formatted(32)
    assert_fsck_content(device.data, tmp_path)


@pytest.mark.parametrize(("offset", "value"), [(0, 0), (MEDIA, 0), (510, 0)], ids=["jump", "media", "signature"])
def test_a_first_sector_that_still_says_where_all_is_describes_the_volume(offset: int, value: int) -> None:
    device = MemoryDevice(formatted(32))
    device.write_at(offset, bytes([value]))
    spare = spare_boot_sector(device)
    assert spare is not None
    assert spare.is_described


def test_a_whole_first_sector_has_no_better_copy() -> None:
    assert spare_boot_sector(MemoryDevice(formatted(32))) is None


@pytest.mark.parametrize("bits", [12, 16])
def test_only_fat32_keeps_a_copy(bits: int) -> None:
    assert spare_boot_sector(erased(bits)) is None


@pytest.mark.parametrize(
    ("where", "data"),
    [
        (COPY + 510, b"\0\0"),
        (COPY + MEDIA, b"\xfa"),
        (COPY + BACKUP, b"\x07\0"),
        (COPY + ROOT, b"\x09\0\0\0"),
        (COPY + SECTORS, b"\xff\xff\xff\x7f"),
        (COPY + FAT_SIZE, b"\x01\0\0\0"),
        (INFO, b"\0\0\0\0"),
        (None, b"\0\0\0\0"),
        (None, b"\0" * 12),
        (8, b"\x02\0\0\0"),
        (8, b"\xf0\xde\xbc\x0a"),
    ],
    ids=[
        "signature", "media", "place of the copy", "root directory", "longer than the partition", "table too short",
        "FSInfo", "first entry of the table", "root directory free", "root directory in a loop",
        "root directory that goes on nowhere",
    ],
)  # fmt: skip
def test_a_copy_that_describes_what_is_not_there_is_none(where: int | None, data: bytes) -> None:
    device = erased()
    first = table(device)  # what is below 512 is a place in it: the copy lies behind
    device.write_at(first if where is None else first + where if where < SECTOR else where, data)
    assert spare_boot_sector(device) is None


def test_a_volume_that_bitlocker_encrypts_has_none() -> None:
    device = MemoryDevice(formatted(32))
    device.write_at(3, b"MSWIN4.1")
    device.write_at(424, bytes.fromhex("3bd667492e29d84a8399f6a339e3d001"))  # BitLocker To Go's identifier
    assert spare_boot_sector(device) is None


def test_a_short_device_has_none() -> None:
    assert spare_boot_sector(MemoryDevice(bytes(COPY))) is None
