from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from fat.volumes import KINDS, fsck_is_content, fsck_says, new_volume
from support.memory_device import MemoryDevice
from vmrescue.fat import FatVolume

if TYPE_CHECKING:
    from pathlib import Path

END = 0xFFFF


class Broken:
    """A sound FAT16 volume to break: two files of four clusters, and a directory with one file in it."""

    def __init__(self) -> None:
        self.device, volume = new_volume(16)
        volume.create_file("first", b"1" * 2048)
        volume.create_file("second", b"2" * 2048)
        volume.create_directory("folder")
        volume.create_file("folder/third", b"3" * 100)
        assert volume.check() == []
        self.clusters = {
            path: volume.file_extents(path)[0][1] for path in ("first", "second", "folder", "folder/third")
        }
        self.root = volume.cluster_offset(2) - 512 * 32

    def link(self, cluster: int, value: int) -> None:
        """Sets a table entry in both copies."""
        for copy in (0, 1):
            self.device.write_at(self.table + copy * self.table_size + cluster * 2, struct.pack("<H", value))

    @property
    def table(self) -> int:
        return int.from_bytes(self.device.read_at(14, 2), "little") * 512

    @property
    def table_size(self) -> int:
        return int.from_bytes(self.device.read_at(22, 2), "little") * 512

    def slot(self, short: bytes) -> int:
        """The position of the record with that 8.3 name."""
        return self.device.data.index(short.ljust(11), self.root)

    def problems(self, folder: Path) -> list[str]:
        """The problems that our check finds; asserts that fsck.vfat finds problems too."""
        found = FatVolume(MemoryDevice(self.device.data)).check()
        assert not fsck_is_content(fsck_says(self.device.data, folder))
        return found


def test_lost_clusters_are_counted(tmp_path: Path) -> None:
    broken = Broken()
    broken.link(100, 101)
    broken.link(101, END)
    broken.link(200, END)
    assert broken.problems(tmp_path) == [
        "the allocation table has 3 clusters in 2 chains that no file has, the first is 100"
    ]


def test_two_files_on_one_cluster_are_both_named(tmp_path: Path) -> None:
    broken = Broken()
    first, second = broken.clusters["first"], broken.clusters["second"]
    broken.link(first + 1, second + 2)
    assert broken.problems(tmp_path) == [
        f"the chain of '\\second' runs into that of '\\first' at cluster {second + 2}",
        "the allocation table has 2 clusters in 1 chain that no file has, the first is 4",
    ]


def test_a_chain_that_loops_is_found(tmp_path: Path) -> None:
    broken = Broken()
    first = broken.clusters["first"]
    broken.link(first + 3, first + 1)
    problem = broken.problems(tmp_path)[0]
    assert problem.startswith("the chain of '\\first' is broken: allocation table at byte 512")
    assert "found a loop through cluster" in problem


@pytest.mark.parametrize("value", [0, 1, 0xFFF7, 20000])
def test_a_chain_that_leads_nowhere_is_found(value: int, tmp_path: Path) -> None:
    broken = Broken()
    first = broken.clusters["first"]
    broken.link(first + 1, value)
    problem = broken.problems(tmp_path)[0]
    assert problem.startswith("the chain of '\\first' is broken: allocation table")
    assert f"found a link to {value}" in problem


def test_a_chain_too_short_or_too_long_for_the_size_is_found(tmp_path: Path) -> None:
    broken = Broken()
    for size, needed in [(2049, 5), (1536, 3), (0, 0)]:
        broken.device.write_at(broken.slot(b"FIRST") + 28, struct.pack("<I", size))
        assert broken.problems(tmp_path) == [f"'\\first' has {size} bytes, which take {needed} clusters, but has 4"]


def test_a_size_without_clusters_is_found(tmp_path: Path) -> None:
    broken = Broken()
    broken.device.write_at(broken.slot(b"FIRST") + 26, bytes(2))
    assert broken.problems(tmp_path)[0] == "'\\first' has 2048 bytes but no clusters"


def test_copies_of_the_table_that_differ_are_found(tmp_path: Path) -> None:
    broken = Broken()
    second = broken.table + broken.table_size
    broken.device.write_at(second + 2 * broken.clusters["second"], b"\x99")
    (problem,) = broken.problems(tmp_path)
    assert problem == f"copy 2 of the allocation table, at byte {second}, differs from the first"


def test_a_directory_that_is_its_own_child_is_found(tmp_path: Path) -> None:
    broken = Broken()
    folder = broken.clusters["folder"]
    third = broken.device.data.index(b"THIRD      ")
    broken.device.write_at(third + 11, b"\x10")
    broken.device.write_at(third + 26, struct.pack("<H", folder))
    broken.device.write_at(third + 28, bytes(4))
    problems = broken.problems(tmp_path)
    assert f"the chain of '\\folder\\third' runs into that of '\\folder' at cluster {folder}" in problems


def test_wrong_dot_entries_are_found(tmp_path: Path) -> None:
    broken = Broken()
    start = broken.device.data.index(b".          ")
    broken.device.write_at(start + 26, b"\x77\x77")
    broken.device.write_at(start + 32 + 26, b"\x77\x77")
    assert broken.problems(tmp_path) == [
        "the directory '\\folder' does not begin with an entry that names itself",
        "the second entry of the directory '\\folder' does not name its parent",
    ]


def test_a_directory_with_a_size_is_found(tmp_path: Path) -> None:
    broken = Broken()
    broken.device.write_at(broken.slot(b"FOLDER") + 28, b"\x01")
    assert broken.problems(tmp_path) == ["the directory '\\folder' has a size of 1 byte; it must be 0"]


def test_a_name_that_is_there_twice_is_found(tmp_path: Path) -> None:
    broken = Broken()
    broken.device.write_at(broken.slot(b"SECOND"), b"FIRST ")
    assert broken.problems(tmp_path) == ["the name of '\\first' is there twice"]


def test_a_long_name_without_its_file_is_found(tmp_path: Path) -> None:
    broken = Broken()
    FatVolume(broken.device).create_file("a long file name", b"")
    broken.device.write_at(broken.slot(b"ALONGF~1"), b"B")
    assert broken.problems(tmp_path) == ["the directory '' has 2 slots of long names without a file"]


def test_a_wrong_media_byte_of_the_table_is_found() -> None:
    broken = Broken()
    broken.link(0, 0xFFF0)
    found = FatVolume(broken.device).check()
    assert found == ["the allocation table begins with F0, not with the media byte F8"]


def test_a_wrong_fsinfo_is_found(tmp_path: Path) -> None:
    device, volume = new_volume(32)
    assert volume.check() == []
    device.write_at(512 + 488, struct.pack("<II", 1234, 0xFFFFFF0))
    assert volume.check() == [
        f"FSInfo says that the number of free clusters is 1234, but it is {volume.free_clusters}",
        "FSInfo says that the next free cluster is 268435440, which is none",
    ]
    assert "Free cluster summary wrong" in fsck_says(device.data, tmp_path)
    device.write_at(512, b"bad")
    assert volume.check() == ["the FSInfo sector at byte 512 lacks its signatures"]


def test_a_backup_boot_sector_that_differs_is_found(tmp_path: Path) -> None:
    device, volume = new_volume(32)
    device.write_at(6 * 512 + 100, b"different")
    assert volume.check() == ["the backup boot sector at byte 3072 differs from the first"]
    assert "differences between boot sector and its backup" in fsck_says(device.data, tmp_path)


@pytest.mark.parametrize("bits", KINDS)
def test_bad_clusters_are_neither_free_nor_lost(bits: int) -> None:
    device, volume = new_volume(bits)
    free = volume.free_clusters
    start = int.from_bytes(device.read_at(14, 2), "little") * 512
    size = int.from_bytes(device.read_at(36, 4) if bits == 32 else device.read_at(22, 2), "little") * 512
    bad = {12: b"\xf7\x0f", 16: b"\xf7\xff", 32: b"\xf7\xff\xff\x0f"}[bits]
    for copy in (0, 1):
        device.write_at(start + copy * size + 100 * bits // 8, bad)
    if bits == 32:
        device.write_at(512 + 488, struct.pack("<I", free - 1))
    volume = FatVolume(device)
    assert volume.free_clusters == free - 1
    assert volume.check() == []
