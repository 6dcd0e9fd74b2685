from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.machine import run
from support.memory_device import MemoryDevice
from support.real_data import sdist_file
from vmrescue.volume import identify, read_partition_table
from volume.disks import MIB, blank, gpt_disk, ntfs_volume

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("bits", "size"), [("12", MIB), ("16", 16 * MIB), ("32", 64 * MIB)])
def test_a_fat_volume_is_named_by_its_number_of_clusters(tmp_path: Path, bits: str, size: int) -> None:
    path = blank(tmp_path / "volume.img", size)
    run("mkfs.vfat", "-F", bits, "-s", "1", path)
    assert identify(MemoryDevice(path.read_bytes())) == f"FAT{bits}"


@pytest.mark.parametrize("member", ["fat12", "fat16", "fat32"])
def test_fat_volumes_of_others_are_named(member: str) -> None:
    assert identify(MemoryDevice(sdist_file("dissect.fat", f"tests/data/{member}.bin"))) == member.upper()


def test_an_ntfs_volume_that_windows_formatted_is_named() -> None:
    assert identify(MemoryDevice(sdist_file("dissect.ntfs", "tests/_data/ntfs.bin.gz")[:MIB])) == "NTFS"


@pytest.mark.parametrize(
    ("name", "file_system"),
    [(b"EXFAT   ", "exFAT"), (b"ReFS\0\0\0\0", "ReFS"), (b"-FVE-FS-", "BitLocker"), (b"unknown ", None)],
)
def test_other_volumes_are_named_by_their_oem_name(name: bytes, file_system: str | None) -> None:
    sector = bytearray(512)
    sector[3:11], sector[510:] = name, b"\x55\xaa"
    assert identify(MemoryDevice(sector)) == file_system


def test_a_volume_without_a_table_is_one_partition_over_the_whole_device(tmp_path: Path) -> None:
    fat = blank(tmp_path / "fat.img", 4 * MIB)
    run("mkfs.vfat", fat)
    for path in (ntfs_volume(tmp_path / "ntfs.img"), fat):
        table = read_partition_table(MemoryDevice(path.read_bytes()))
        assert (table.style, table.disk_id, table.warnings) == ("none", None, [])
        assert [(p.number, p.start, p.size) for p in table.partitions] == [(1, 0, path.stat().st_size)]


def test_a_volume_that_was_partitioned_later_is_read_by_its_table(tmp_path: Path) -> None:
    disk = blank(tmp_path / "disk.img")
    run("mkfs.vfat", "-I", disk)
    run("sgdisk", "-g", "-n1:0:+4M", disk)
    assert identify(MemoryDevice(disk.read_bytes())) is not None  # sgdisk keeps the boot sector's program
    table = read_partition_table(MemoryDevice(disk.read_bytes()))
    assert (table.style, len(table.partitions)) == ("GPT", 1)


def test_a_partition_is_opened_and_named(tmp_path: Path) -> None:
    disk = gpt_disk(tmp_path / "disk.img")
    device = MemoryDevice(disk.read_bytes())
    data = read_partition_table(device).partitions[2]
    assert identify(data.open(device)) is None
    device.write_at(data.start, ntfs_volume(tmp_path / "ntfs.img").read_bytes())
    assert identify(data.open(device)) == "NTFS"
