"""The second opinion agrees with other tools on logs, tables, clusters, hives and VHDs."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

import pytest

from fat import volumes as fat_volumes
from ntfs.test_state import NEWER, OLDER, log_start, volume_with_log
from ntfs.volumes import cloud_volume, format_volume, formatted
from support.machine import run
from support.memory_device import MemoryDevice
from support.ntfs_judges import mounted
from vmrescue.errors import FormatError
from vmrescue.image import FileDevice
from vmrescue.readers.fat.file_system import FatFileSystem
from vmrescue.readers.hive.reader import why_incomplete
from vmrescue.readers.ntfs.file_system import NtfsFileSystem
from vmrescue.readers.partitions import partitions_of
from vmrescue.readers.stream import DeviceStream
from vmrescue.readers.vhd import open_vhd
from volume.disks import gpt_disk, mbr_disk

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20
SECTOR = 512


def why_pending(data: bytes | bytearray) -> str | None:
    return NtfsFileSystem(MemoryDevice(data), 0).why_log_pending()


def test_a_log_is_seen_to_be_open_and_closed_as_ntfs_3g_leaves_it(tmp_path: Path) -> None:
    """The volume is one of Windows', held open; ntfsrecover replays its log, mkntfs makes an empty one."""
    path = cloud_volume(tmp_path / "volume.img")
    assert "version 2" in str(why_pending(path.read_bytes()))
    run("ntfsrecover", "--kill-fast-restart", path)
    assert why_pending(path.read_bytes()) is None
    assert why_pending(formatted()) is None


@pytest.mark.parametrize(
    ("lsn", "flags", "client", "pending"),
    [(NEWER, 0, 0, True), (NEWER, 2, 0, False), (NEWER, 0, 0xFFFF, False), (OLDER, 0, 0, False)],
)
def test_the_newer_restart_page_decides_for_the_reader_too(lsn: int, flags: int, client: int, pending: bool) -> None:
    assert (why_pending(volume_with_log(lsn, flags, client)) is not None) == pending


def test_a_log_of_torn_restart_pages_is_not_closed() -> None:
    data = bytearray(volume_with_log(NEWER, 2, 0xFFFF))
    for page in (0, 4096):
        data[log_start(data) + page + SECTOR - 2] ^= 1
    assert "no sound restart page" in str(why_pending(data))


def test_the_runs_of_a_file_are_those_that_ntfsinfo_lists(tmp_path: Path) -> None:
    path = format_volume(tmp_path / "volume.img")
    with mounted(path, writable=True) as folder:
        (folder / "a").write_bytes(b"a" * MIB)
    said = run("ntfsinfo", "-F", "a", "-v", path)
    number = int(re.search(r"Dumping Inode (\d+)", said)[1])  # type: ignore[index]
    listed = [(int(lcn, 16), int(size, 16)) for lcn, size in re.findall(r"\s0x\w+\s+0x(\w+)\s+0x(\w+)", said)]
    files = NtfsFileSystem(MemoryDevice(path.read_bytes()), 0)
    assert files.runs_of(number, 0x80, "") == listed != []


@pytest.mark.parametrize("bits", [12, 16, 32])
def test_free_clusters_are_those_that_mtools_and_fsck_count(bits: int, tmp_path: Path) -> None:
    path = tmp_path / "volume.img"
    path.write_bytes(fat_volumes.formatted(bits))
    (tmp_path / "content").write_bytes(b"x" * 5000)
    run("mcopy", "-i", path, tmp_path / "content", "::/FILE.TXT")
    free = int(re.search(r"([\d ]+) bytes free", run("mdir", "-i", path, "::/"))[1].replace(" ", ""))  # type: ignore[index]
    data = bytearray(path.read_bytes())
    used, total = map(int, re.search(r"(\d+)/(\d+) clusters", run("fsck.vfat", "-n", path)).groups())  # type: ignore[union-attr]

    files = FatFileSystem(MemoryDevice(data), 0)
    assert files.free_bytes == free
    assert files.free_bytes == (total - used) * files.cluster_size
    if bits == 32:  # FSInfo does not count where nobody signed it
        data[SECTOR] ^= 0xFF
        assert FatFileSystem(MemoryDevice(data), 0).free_bytes == free


@pytest.mark.parametrize("style", ["GPT", "MBR"])
def test_partitions_are_those_that_sgdisk_and_sfdisk_see(style: str, tmp_path: Path) -> None:
    path = (gpt_disk if style == "GPT" else mbr_disk)(tmp_path / "disk.img")
    listed = re.findall(r"start=\s*(\d+), size=\s*(\d+), type=([0-9A-Fa-f-]+)", run("sfdisk", "-d", path))
    expected = [(int(start) * SECTOR, int(size) * SECTOR) for start, size, kind in listed if kind != "f"]
    device = FileDevice(path)
    assert sorted(partitions_of(device, SECTOR)) == sorted(expected)
    device.close()


def test_a_gpt_of_millions_of_entries_is_an_error(tmp_path: Path) -> None:
    data = bytearray(gpt_disk(tmp_path / "disk.img").read_bytes())
    struct.pack_into("<I", data, SECTOR + 80, 1 << 24)
    with pytest.raises(FormatError, match="at most 1024 entries"):
        partitions_of(MemoryDevice(data), SECTOR)


def test_a_circle_of_extended_partitions_is_an_error(tmp_path: Path) -> None:
    data = bytearray(mbr_disk(tmp_path / "disk.img").read_bytes())
    extended = 14336 * SECTOR
    entry = extended + 446 + 16  # the second one leads to the next logical partition: back to the first
    data[entry + 4] = 5
    struct.pack_into("<II", data, entry + 8, 0, 2048)
    with pytest.raises(FormatError, match="partition table"):
        partitions_of(MemoryDevice(data), SECTOR)


def hive(begun: int = 1, completed: int = 1) -> bytearray:
    block = bytearray(4096)
    block[:4] = b"regf"
    struct.pack_into("<II", block, 4, begun, completed)
    return sealed(block)


def sealed(block: bytearray) -> bytearray:
    total = 0
    for (word,) in struct.iter_unpack("<I", block[:508]):
        total ^= word
    struct.pack_into("<I", block, 508, total)
    return block


def test_a_hive_is_seen_to_be_dirty_as_its_sequence_numbers_and_checksum_say() -> None:
    def said(block: bytes | bytearray) -> str | None:
        return why_incomplete(DeviceStream(MemoryDevice(block)), "hive SYSTEM")

    assert said(hive()) is None
    assert said(hive(begun=3, completed=2)) == "write 3 was begun, and 2 was the last to be completed"
    torn = hive()
    torn[100] ^= 1
    assert "checksum" in str(said(torn))
    with pytest.raises(FormatError, match=r"hive SYSTEM.*'regf'"):
        said(bytes(4096))


@pytest.mark.parametrize("subformat", ["fixed", "dynamic"])
def test_a_vhd_is_read_as_qemu_reads_it_also_after_it_was_resized(subformat: str, tmp_path: Path) -> None:
    raw, path = tmp_path / "disk.raw", tmp_path / "disk.vhd"
    raw.write_bytes(bytes(range(256)) * (4 * MIB // 256))
    run("qemu-img", "convert", "-O", "vpc", "-o", f"subformat={subformat},force_size=on", raw, path)
    data = bytearray(path.read_bytes())
    for at in {0, len(data) - SECTOR} if subformat == "dynamic" else {len(data) - SECTOR}:
        struct.pack_into(">Q", data, at + 40, MIB)  # the size with which it was made
        data[at + 64 : at + 68] = bytes(4)
        struct.pack_into(">I", data, at + 64, ~sum(data[at : at + SECTOR]) & 0xFFFFFFFF)
    path.write_bytes(data)
    run("qemu-img", "convert", "-f", "vpc", "-O", "raw", path, tmp_path / "again.raw")
    content = (tmp_path / "again.raw").read_bytes()

    device = FileDevice(path)
    with open_vhd([device]) as read:
        assert read(0, len(content)) == content == raw.read_bytes()
    device.close()
