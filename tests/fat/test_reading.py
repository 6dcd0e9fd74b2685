from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from fat.volumes import KINDS, dissect_tree, formatted, mtools_tree, new_volume, tree_of, upper
from support.machine import run
from support.memory_device import MemoryDevice
from support.real_data import sdist_file
from vmrescue.errors import FormatError, NotFoundError, RefusedError
from vmrescue.fat import FatVolume

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def written_by_mtools(tmp_path: Path) -> bytes:
    """A volume on which mtools made directories and files with names of every sort."""
    image = tmp_path / "volume.img"
    image.write_bytes(formatted(16))
    files = {
        "EFI/Microsoft/Boot/BCD": b"store" * 5000,
        "EFI/Microsoft/Boot/bootmgfw.efi": bytes(range(256)) * 400,
        "A name that is longer than thirteen letters, by far.text": b"long",
        "grüße aus köln.txt": b"umlauts",
        "empty": b"",
    }
    for number in range(40):
        files[f"many/file number {number:03}.dat"] = bytes([number]) * (number * 37)
    for name, content in files.items():
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    sources = sorted((tmp_path / "source").iterdir())
    run("mcopy", "-s", "-Q", "-i", image, *sources, "::/", LC_ALL="C.UTF-8")
    return image.read_bytes()


def test_what_mtools_wrote_is_read_as_mtools_and_dissect_read_it(written_by_mtools: bytes, tmp_path: Path) -> None:
    tree = tree_of(FatVolume(MemoryDevice(written_by_mtools)))
    assert len(tree) == 5 + 40 + 4
    assert tree == mtools_tree(written_by_mtools, tmp_path)
    assert upper(tree) == upper(dissect_tree(written_by_mtools, tmp_path))


@pytest.mark.parametrize("kind", ["fat12", "fat16", "fat32"])
def test_volumes_of_others_are_read_as_mtools_and_dissect_read_them(kind: str, tmp_path: Path) -> None:
    data = sdist_file("dissect.fat", f"tests/data/{kind}.bin")
    volume = FatVolume(MemoryDevice(data))
    assert volume.kind == kind.upper()
    assert volume.check() == []
    assert tree_of(volume) == mtools_tree(data, tmp_path)
    assert upper(tree_of(volume)) == upper(dissect_tree(data, tmp_path))


@pytest.mark.parametrize("bits", KINDS)
@pytest.mark.parametrize("cluster", [1, 2])
def test_the_clusters_are_counted_as_fsck_counts_them(bits: int, cluster: int, tmp_path: Path) -> None:
    image = tmp_path / "volume.img"
    image.write_bytes(formatted(bits, cluster))
    _, volume = new_volume(bits, cluster)
    used, total = map(int, re.findall(r"(\d+)/(\d+) clusters", run("fsck.vfat", "-n", image))[0])
    assert volume.cluster_count == total
    assert volume.free_clusters == total - used
    assert volume.cluster_size == 512 * cluster


def test_the_noted_count_is_believed_only_of_a_volume_that_was_dismounted_cleanly() -> None:
    device, volume = new_volume(32)
    assert volume.noted_free_clusters == volume.free_clusters
    volume.create_file("file", bytes(5000))
    again = FatVolume(device)
    assert again.noted_free_clusters == again.free_clusters == volume.free_clusters
    device.data[65] |= 1  # the state byte of the boot sector: in use
    assert FatVolume(device).noted_free_clusters is None
    _, small = new_volume(16)
    assert small.noted_free_clusters is None  # FAT16 has no FSInfo


def test_names_are_found_in_any_case_with_either_slash_and_by_their_short_form(written_by_mtools: bytes) -> None:
    volume = FatVolume(MemoryDevice(written_by_mtools))
    for path in ("EFI/Microsoft/Boot/BCD", r"\efi\MICROSOFT\boot\bcd", "EFI/MICROS~1/BOOT/BCD"):
        assert volume.read_file(path) == b"store" * 5000
    assert volume.read_file("GRÜSSE AUS KÖLN.TXT".replace("SS", "ß")) == b"umlauts"
    assert volume.exists("A Name That Is Longer Than Thirteen Letters, By Far.text")
    assert not volume.exists("EFI/Microsoft/Boot/BCD/below")


def test_stat_gives_what_the_directory_says() -> None:
    volume = FatVolume(MemoryDevice(sdist_file("dissect.fat", "tests/data/fat16.bin")))
    info = volume.stat("FILE1.TXT")
    assert (info.name, info.short_name, info.size, info.is_directory) == ("file1.txt", "FILE1.TXT", 20, False)
    assert info.modified == datetime(2021, 7, 15, 14, 43, 50)
    assert info.attributes == 0x20
    assert volume.stat("\\").is_directory


def test_extents_lead_to_the_bytes_of_the_file(written_by_mtools: bytes) -> None:
    device = MemoryDevice(written_by_mtools)
    volume = FatVolume(device)
    path = "EFI/Microsoft/Boot/bootmgfw.efi"
    extents = volume.file_extents(path)
    raw = b"".join(device.read_at(volume.cluster_offset(lcn), count * volume.cluster_size) for _, lcn, count in extents)
    assert raw[: volume.stat(path).size] == volume.read_file(path)
    assert [vcn for vcn, _, _ in extents] == [sum(n for _, _, n in extents[:i]) for i in range(len(extents))]
    assert volume.file_extents("") == []


def test_a_chain_that_leads_backwards_is_followed(tmp_path: Path) -> None:
    device, volume = new_volume(12)
    volume.create_file("a", b"a" * 512)
    volume.create_file("b", b"b" * 512)
    volume.create_file("rest", bytes(volume.free_clusters * 512))
    volume.delete("a")
    volume.write_file("b", b"b" * 512 + b"B" * 512)
    assert volume.file_extents("b") == [(0, 3, 1), (1, 2, 1)]
    assert volume.read_file("b") == b"b" * 512 + b"B" * 512
    assert mtools_tree(device.data, tmp_path) == tree_of(volume)


def test_what_is_not_there_is_not_found() -> None:
    volume = FatVolume(MemoryDevice(sdist_file("dissect.fat", "tests/data/fat12.bin")))
    with pytest.raises(NotFoundError, match=r"no 'nothing\.txt'"):
        volume.read_file("nothing.txt")
    with pytest.raises(NotFoundError, match=r"'file1\.txt' is a file, not a directory"):
        volume.read_file("file1.txt/below")
    with pytest.raises(NotFoundError):
        volume.read_file("subdir1/../file1.txt")
    with pytest.raises(RefusedError, match="is a directory"):
        volume.read_file("subdir1")


@pytest.mark.parametrize(
    ("position", "value", "message"),
    [
        (0, b"\x00", "byte 0 .*a jump instruction"),
        (510, b"\x00", "byte 510 .*the signature 55 AA, found 00 aa"),
        (11, b"\x00\x00", "byte 11 .*sectors of 512"),
        (13, b"\x03", "byte 13 .*a power of two, found 3"),
        (14, b"\x00\x00", "byte 14 .*reserved sector"),
        (16, b"\x00", "byte 16 .*at least one allocation table"),
        (21, b"\x12", "byte 21 .*a media byte"),
        (22, b"\x01\x00", "byte 22 .*tables that hold all"),
        (32, b"\xff\xff\xff\x00", "byte 32 .*inside its partition's 5242880 bytes"),
    ],
)
def test_a_wrong_field_of_the_boot_sector_is_named_with_its_place(position: int, value: bytes, message: str) -> None:
    data = bytearray(formatted(16))
    if position == 32:
        data[19:21] = b"\0\0"
    data[position : position + len(value)] = value
    with pytest.raises(FormatError, match=message):
        FatVolume(MemoryDevice(data))


def test_a_later_version_of_fat32_is_not_read() -> None:
    """Microsoft's specification asks a driver not to mount it; OVMF's does not either."""
    data = bytearray(formatted(32))
    data[42:44] = b"\x01\0"
    with pytest.raises(FormatError, match=r"byte 42 .*version 0\.0 of FAT32, found 0x0001"):
        FatVolume(MemoryDevice(data))


def test_a_volume_cut_short_is_refused_with_both_sizes() -> None:
    with pytest.raises(FormatError, match="a volume inside its partition's 3000000 bytes, found 5242880"):
        FatVolume(MemoryDevice(formatted(16)[:3_000_000]))


def test_a_volume_with_4096_byte_sectors_is_read_and_edited(tmp_path: Path) -> None:
    image = tmp_path / "volume.img"
    with image.open("wb") as file:
        file.truncate(12 << 20)
    run("mkfs.vfat", "-S", "4096", "-s", "1", "-F", "12", image)
    device = MemoryDevice(image.read_bytes())
    volume = FatVolume(device)
    volume.create_file("a file with a long name", b"content" * 5000)
    assert volume.check() == []
    assert mtools_tree(device.data, tmp_path) == {"/a file with a long name": b"content" * 5000}
