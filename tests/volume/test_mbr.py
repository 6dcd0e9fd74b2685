from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

import pytest
from dissect.volume.disk import Disk

from support.machine import run
from support.memory_device import MemoryDevice
from vmrescue.errors import FormatError
from vmrescue.volume import read_partition_table
from volume.disks import MIB, blank, loop_device, mbr_disk, ntfs_volume

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.volume import PartitionTable

ENTRY = struct.Struct("<B3xB3xII")


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    return mbr_disk(tmp_path / "disk.img")


def read(data: bytes | bytearray, sector_size: int = 512) -> PartitionTable:
    return read_partition_table(MemoryDevice(data, sector_size))


def boot_record(*entries: tuple[int, int, int, int]) -> bytes:
    """A boot record of these (flag, type, start, sectors)."""
    return (bytes(446) + b"".join(ENTRY.pack(*entry) for entry in entries)).ljust(510, b"\0") + b"\x55\xaa"


def test_the_partitions_are_those_that_sfdisk_prints(disk: Path) -> None:
    table = read(disk.read_bytes())
    judged = json.loads(run("sfdisk", "--json", disk))["partitiontable"]
    ours = [(f"{disk}{p.number}", p.start // 512, p.size // 512, f"{p.type:x}", p.active) for p in table.partitions]
    theirs = [(p["node"], p["start"], p["size"], p["type"], p.get("bootable", False)) for p in judged["partitions"]]
    assert table.style == "MBR"
    assert table.disk_id == 0x1A2B3C4D == int(judged["id"], 16)
    assert ours == theirs
    assert table.warnings == []


def test_roles_follow_the_types(disk: Path) -> None:
    roles = {p.number: p.role for p in read(disk.read_bytes()).partitions}
    assert roles == {1: "basic data", 2: "basic data", 3: "extended", 5: "basic data", 6: "basic data", 7: "recovery"}


def test_dissect_sees_the_same_places(disk: Path) -> None:
    ours = [(p.start, p.size, p.type) for p in read(disk.read_bytes()).partitions if p.role != "extended"]
    with disk.open("rb") as image:
        assert [(p.offset, p.size, p.type) for p in Disk(image).partitions] == ours


def test_a_logical_chain_that_bites_its_tail_ends_with_a_warning(disk: Path) -> None:
    data = bytearray(disk.read_bytes())
    last = 28672 * 512 - 2048 * 512  # the third logical partition's boot record
    data[last : last + 512] = boot_record((0, 0x27, 2048, 8192), (0, 5, 0, 2048))
    table = read(data)
    assert [p.number for p in table.partitions] == [1, 2, 3, 5, 6, 7]
    assert len(table.warnings) == 1
    assert table.warnings[0].startswith("the chain of logical partitions leads to byte 7340032")


def test_a_broken_link_of_the_chain_hides_only_what_is_behind_it(disk: Path) -> None:
    data = bytearray(disk.read_bytes())
    second = 20480 * 512 - 2048 * 512
    data[second + 510] = 0
    table = read(data)
    assert [p.number for p in table.partitions] == [1, 2, 3, 5]
    (warning,) = table.warnings
    assert (
        "those behind it are not seen: boot record at byte 9437694 (0x9001fe): expected the signature 55 AA" in warning
    )


def test_overlapping_partitions_are_left_out_with_a_warning() -> None:
    record = boot_record((0x80, 7, 2048, 4096), (0, 7, 4096, 4096), (0, 7, 8192, 2048))
    table = read(record + bytes(8 * MIB))
    assert [p.number for p in table.partitions] == [3]
    assert table.warnings == ["partitions 1 and 2 overlap; both are left out"]


def test_entries_without_sectors_or_on_the_table_are_left_out_with_a_warning() -> None:
    record = boot_record((0x80, 7, 2048, 0), (0, 7, 0, 64), (0, 7, 8192, 2048))
    table = read(record + bytes(8 * MIB))
    assert [p.number for p in table.partitions] == [3]
    assert table.warnings == [
        "partition 1 has no sectors; it is left out",
        "partition 2 begins on the partition table itself; it is left out",
    ]


def test_a_table_of_which_nothing_lies_in_the_image_is_an_error(disk: Path) -> None:
    with pytest.raises(FormatError, match="partition 2 ends at byte 7340032, beyond the disk's 1048576 bytes"):
        read(disk.read_bytes()[:MIB])


def test_a_new_disk_has_a_signature_and_no_partitions(tmp_path: Path) -> None:
    disk = blank(tmp_path / "disk.img")
    run("sfdisk", "-q", disk, stdin=b"label: dos\nlabel-id: 0xcafe\n")
    table = read(disk.read_bytes())
    assert (table.style, table.disk_id, table.partitions, table.warnings) == ("MBR", 0xCAFE, [], [])


@pytest.mark.parametrize("hint", [512, 4096])
def test_an_mbr_that_counts_in_4096_byte_sectors_is_known_by_its_file_systems(tmp_path: Path, hint: int) -> None:
    disk = blank(tmp_path / "disk.img")
    with loop_device(disk, 4096) as loop:
        script = "label: dos\nstart=256, size=2048, type=7\nstart=2304, type=5\nstart=2560, size=1024, type=7\n"
        run("sfdisk", "-q", loop, stdin=script.encode())
    data = bytearray(disk.read_bytes())
    data[MIB : 9 * MIB] = ntfs_volume(tmp_path / "volume.img", "-s", "4096").read_bytes()
    table = read(data, hint)
    assert (table.style, table.sector_size) == ("MBR", 4096)
    assert [(p.number, p.start, p.size) for p in table.partitions] == [
        (1, MIB, 8 * MIB),
        (2, 9 * MIB, 23 * MIB),
        (5, 10 * MIB, 4 * MIB),
    ]


@pytest.mark.parametrize("size", [0, 1, 511])
def test_less_than_a_sector_is_no_disk(size: int) -> None:
    with pytest.raises(FormatError, match="at least one sector of 512 bytes"):
        read(bytes(size))


def test_a_disk_of_zeros_has_no_partition_table() -> None:
    with pytest.raises(FormatError, match=r"partition table at byte 510 .*expected an MBR, a GPT or a file system"):
        read(bytes(4 * MIB))
