from __future__ import annotations

import re
from typing import TYPE_CHECKING
from uuid import UUID
from zlib import crc32

import pytest
from dissect.volume.disk import Disk

from support.machine import run
from support.memory_device import MemoryDevice
from vmrescue.errors import FormatError, RefusedError
from vmrescue.volume import read_partition_table
from vmrescue.volume.extending import check_editable
from volume.disks import MIB, blank, gpt_disk, loop_device

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.volume import PartitionTable

PRIMARY_HEADER, PRIMARY_ENTRIES = 512, 1024


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    return gpt_disk(tmp_path / "disk.img")


def read(data: bytes, sector_size: int = 512) -> PartitionTable:
    return read_partition_table(MemoryDevice(data, sector_size))


def broken_at(path: Path, *positions: int) -> bytes:
    """The image with the bytes at these positions flipped."""
    data = bytearray(path.read_bytes())
    for position in positions:
        data[position] ^= 0xFF
    return bytes(data)


def sgdisk_sees(path: Path | str) -> list[tuple[int, int, int]]:
    """Number, first and last sector of each partition, as sgdisk prints them."""
    rows = re.findall(r"^ +(\d+) +(\d+) +(\d+) ", run("sgdisk", "-p", path), re.MULTILINE)
    return [(int(number), int(first), int(last)) for number, first, last in rows]


def test_the_partitions_are_those_that_sgdisk_prints(disk: Path) -> None:
    table = read(disk.read_bytes())
    assert table.style == "GPT"
    assert table.warnings == []
    assert [(p.number, p.start // 512, p.end // 512 - 1) for p in table.partitions] == sgdisk_sees(disk)


def test_every_field_that_sgdisk_set_is_read(disk: Path) -> None:
    table = read(disk.read_bytes())
    efi, reserved, data, recovery = table.partitions
    assert table.disk_id == UUID("D5A1F6E2-6E7C-4B5C-9B65-0A3E3B5E7C11")
    assert (efi.role, reserved.role, data.role, recovery.role) == (
        "EFI system",
        "Microsoft reserved",
        "basic data",
        "recovery",
    )
    assert (efi.name, efi.guid) == ("EFI system partition", UUID("11111111-2222-3333-4444-555555555555"))
    assert efi.type == UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
    assert recovery.attributes == 1 << 63 | 1
    assert not data.active


def test_dissect_sees_the_same_guids_and_places(disk: Path) -> None:
    table = read(disk.read_bytes())
    with disk.open("rb") as image:
        judged = Disk(image).partitions
        assert [(p.number, p.offset, p.type, p.guid, p.name) for p in judged] == [
            (p.number, p.start, p.type, p.guid, p.name) for p in table.partitions
        ]
        # dissect.volume 3.18 takes the inclusive last sector for an exclusive one
        assert [p.size + 512 for p in judged] == [p.size for p in table.partitions]


def test_numbers_are_slots_also_after_a_gap(disk: Path) -> None:
    run("sgdisk", "-d2", disk)
    assert [p.number for p in read(disk.read_bytes()).partitions] == [1, 3, 4]


@pytest.mark.parametrize("hint", [512, 4096])
def test_a_disk_of_4096_byte_sectors_is_known_by_its_table_whatever_the_hint(tmp_path: Path, hint: int) -> None:
    disk = blank(tmp_path / "disk.img")
    with loop_device(disk, 4096) as loop:
        run("sgdisk", "-n1:0:+4M", "-t1:EF00", "-n2:0:0", "-t2:0700", loop)
        judged = sgdisk_sees(loop)
    table = read(disk.read_bytes(), hint)
    assert table.sector_size == 4096
    assert [(p.number, p.start // 4096, p.end // 4096 - 1) for p in table.partitions] == judged
    assert table.warnings == []


@pytest.mark.parametrize("position", [PRIMARY_HEADER, PRIMARY_HEADER + 16, PRIMARY_HEADER + 56, PRIMARY_ENTRIES + 32])
def test_a_broken_primary_gives_way_to_the_backup_with_a_warning(disk: Path, position: int) -> None:
    whole = read(disk.read_bytes())
    table = read(broken_at(disk, position))
    assert table.partitions == whole.partitions
    assert len(table.warnings) == 1
    assert "the primary GPT is broken, the backup at sector 65535 was used" in table.warnings[0]


def test_a_broken_backup_is_a_warning(disk: Path) -> None:
    table = read(broken_at(disk, 32 * MIB - 512 + 56))
    assert len(table.partitions) == 4
    assert table.warnings[0].startswith("the backup GPT is broken: GPT header at byte 33553936")


def test_a_backup_that_differs_is_a_warning(disk: Path, tmp_path: Path) -> None:
    other = gpt_disk(tmp_path / "other.img", "-n1:0:+1M")
    data = disk.read_bytes()[: -33 * 512] + other.read_bytes()[-33 * 512 :]
    assert read(data).warnings == ["the backup GPT at sector 65535 differs from the primary, which was used"]


@pytest.mark.parametrize("first", [True, False])
def test_a_partition_outside_of_what_partitions_may_have_is_a_warning(first: bool, disk: Path) -> None:
    data = bytearray(disk.read_bytes())
    if first:
        data[512 + 40 : 512 + 48] = (4096).to_bytes(8, "little")  # the first usable sector
    else:
        data[512 + 48 : 512 + 56] = (2100).to_bytes(8, "little")  # the last
    data[512 + 16 : 512 + 20] = bytes(4)
    data[512 + 16 : 512 + 20] = crc32(data[512 : 512 + 92]).to_bytes(4, "little")
    table = read(bytes(data))
    assert table.partitions == read(disk.read_bytes()).partitions
    assert read(disk.read_bytes()).warnings == []
    assert table.warnings
    assert all("lies outside of bytes" in warning for warning in table.warnings)
    with pytest.raises(RefusedError, match="not in order"):
        check_editable(table)


def test_two_broken_copies_are_an_error_that_names_both_places(disk: Path) -> None:
    with pytest.raises(
        FormatError, match="a sound copy at the disk's start or end, found neither; GPT header at byte 528"
    ):
        read(broken_at(disk, PRIMARY_HEADER + 56, 32 * MIB - 512 + 56))


def test_a_disk_that_has_grown_is_read_and_its_backup_found_by_the_protective_mbr(disk: Path) -> None:
    grown = disk.read_bytes() + bytes(8 * MIB)
    assert read(grown).warnings == []
    table = read(grown[:PRIMARY_HEADER] + bytes(512) + grown[PRIMARY_HEADER + 512 :])
    assert len(table.partitions) == 4
    assert "the backup at sector 65535 was used" in table.warnings[0]


def test_an_image_cut_short_says_so_and_keeps_the_partitions_that_begin_in_it(disk: Path) -> None:
    """What is in a partition that ends behind the image its file system tells: the window ends with the image."""
    table = read(disk.read_bytes()[: 8 * MIB])
    assert [p.number for p in table.partitions] == [1, 2, 3]
    assert table.partitions[-1].end == 8 * MIB
    cut_short, fourth, third = table.warnings
    assert cut_short.startswith(
        "the disk was 33554432 bytes long when it was partitioned, and is 8388608: it has been cut"
    )
    assert third.startswith("partition 3 ends at byte 14680064, beyond the disk's 8388608 bytes (an image cut short")
    assert third.endswith("bytes are missing")
    assert fourth.startswith("partition 4 ends at byte 16777216, beyond")
    assert fourth.endswith("it is left out")


def test_a_missing_protective_mbr_is_a_warning(disk: Path) -> None:
    table = read(bytes(512) + disk.read_bytes()[512:])
    assert len(table.partitions) == 4
    assert table.warnings == ["the protective MBR is missing: neither UEFI nor Windows sees this disk's GPT"]


def test_partitions_that_uefi_gives_to_no_program_are_told(disk: Path) -> None:
    """EDK II takes none with bit 1 of the attributes, and none outside of the sectors for partitions; nor does OVMF."""
    run("sgdisk", "-A", "3:set:1", disk)
    assert read(disk.read_bytes()).unseen == {3: "has the attribute No Block IO Protocol (bit 1)"}
    data = bytearray(disk.read_bytes())
    data[PRIMARY_HEADER + 40 : PRIMARY_HEADER + 48] = (4096).to_bytes(8, "little")  # the first usable sector
    data[PRIMARY_HEADER + 16 : PRIMARY_HEADER + 20] = bytes(4)
    checksum = crc32(data[PRIMARY_HEADER : PRIMARY_HEADER + 92])
    data[PRIMARY_HEADER + 16 : PRIMARY_HEADER + 20] = checksum.to_bytes(4, "little")
    unseen = read(bytes(data)).unseen
    assert 1 in unseen
    assert "lies outside of bytes 2097152 to" in unseen[1]


def test_a_hybrid_mbr_is_read_as_gpt_with_a_warning(disk: Path) -> None:
    run("sgdisk", "-h1:3", disk)
    table = read(disk.read_bytes())
    assert table.style == "GPT"
    assert [p.number for p in table.partitions] == [1, 2, 3, 4]
    assert len(table.warnings) == 1
    assert "hybrid" in table.warnings[0]


def test_an_mbr_without_a_protective_entry_wins_over_a_stale_gpt(disk: Path, tmp_path: Path) -> None:
    stale = disk.read_bytes()
    run("sfdisk", "-q", "--wipe=never", disk, stdin=b"label: dos\nstart=4096, size=8192, type=7, bootable\n")
    data = disk.read_bytes()[:512] + stale[512:]
    table = read(data)
    assert table.style == "MBR"
    assert [(p.number, p.start, p.active) for p in table.partitions] == [(1, 2 * MIB, True)]


def test_a_partition_in_its_window_reads_and_writes_the_disks_bytes(disk: Path) -> None:
    device = MemoryDevice(disk.read_bytes())
    data = read_partition_table(device).partitions[2]
    window = data.open(device)
    assert window.read_at(0, 4) == bytes(4)
    window.write_at(0, b"here")
    assert device.read_at(data.start, 4) == b"here"
    assert window.size == 8 * MIB
    with pytest.raises(FormatError):
        window.write_at(8 * MIB - 1, b"beyond")
