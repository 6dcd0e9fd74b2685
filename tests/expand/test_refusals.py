"""What is not expanded, and that the reason is said; nothing is written then."""

from __future__ import annotations

from pathlib import Path

import pytest

from expand.disks import ESP_AND_MSR, MIB, contained, disk_with_files, partitioned
from support.images import fingerprint
from support.machine import run
from support.machine_disk import loop_device, mounted_ntfs
from vmrescue.cli.main import group
from vmrescue.errors import VmRescueError

SIZE = 320 * MIB
REFUSED, USAGE, NOT_FOUND = 4, 2, 3


def refusal(image: Path, *words: object, status: int = REFUSED) -> str:
    """The message of an expansion that is refused with this exit status."""
    with pytest.raises(VmRescueError) as raised:
        group(["expand", str(image), "--yes", *map(str, words)], standalone_mode=False)
    assert raised.value.exit_status == status
    return str(raised.value)


@pytest.fixture
def gpt(tmp_path: Path) -> Path:
    disk_with_files(tmp_path / "gpt.raw", "GPT", SIZE)
    return tmp_path / "gpt.raw"


@pytest.fixture
def mbr(tmp_path: Path) -> Path:
    disk_with_files(tmp_path / "mbr.raw", "MBR", SIZE)
    return tmp_path / "mbr.raw"


def test_sizes_that_cannot_be_are_refused_with_the_reason(gpt: Path) -> None:
    old = fingerprint(gpt)
    assert "is not made smaller" in refusal(gpt, "--size", "256M", "--partition", 3)
    assert "4095 GiB at most" in refusal(gpt, "--size", "4096G", "--partition", 3)
    assert "whole MiB" in refusal(gpt, "--size", "2000000000", "--partition", 3, status=USAGE)
    assert "no room behind it" in refusal(gpt, "--size", "320M", "--partition", 3)
    assert "no partition 9" in refusal(gpt, "--size", "2G", "--partition", 9, status=NOT_FOUND)
    assert fingerprint(gpt) == old


def test_a_disk_without_a_windows_needs_a_partition_to_be_named_where_there_is_a_choice(gpt: Path) -> None:
    with loop_device(gpt, MIB, 100 * MIB, writable=True) as device:
        run("mkfs.vfat", device)
    old = fingerprint(gpt)
    text = refusal(gpt, "--size", "2G", status=NOT_FOUND)
    assert f"which volume is meant: it has {gpt}:1 (FAT16, EFI system, 100 MiB)" in text
    assert fingerprint(gpt) == old


def test_an_mbr_disk_is_not_made_larger_than_its_sector_numbers_reach(mbr: Path) -> None:
    assert "2 TiB" in refusal(mbr, "--size", "2049G", "--partition", 2)


def test_a_dynamic_vhd_is_not_made_larger_than_its_format_allows(gpt: Path) -> None:
    image = contained(gpt, "dynamic VHD")
    assert "2040 GiB" in refusal(image, "--size", "2041G", "--partition", 3)


def test_a_block_device_cannot_be_made_longer(gpt: Path) -> None:
    with loop_device(gpt, writable=True) as device:
        assert "block device" in refusal(Path(device), "--size", "2G", "--partition", 3)


def test_a_partition_in_the_way_is_named_and_a_recovery_one_with_what_to_do(tmp_path: Path) -> None:
    image = tmp_path / "disk.raw"
    disk_with_files(image, "GPT", SIZE, spare=150 * MIB)
    run("sgdisk", "-n", "4:0:+100M", "-t", "4:2700", image)
    old = fingerprint(image)
    text = refusal(image, "--size", "2G", "--partition", 3)
    assert "partition 4 (Windows recovery) lies behind partition 3" in text
    assert "--move-recovery" in text
    assert fingerprint(image) == old


def test_a_logical_partition_is_not_extended(tmp_path: Path) -> None:
    image = tmp_path / "disk.raw"
    with image.open("wb") as stream:
        stream.truncate(64 * MIB)
    script = (
        b"label: dos\nstart=2048, size=4096, type=7\nstart=8192, size=100000, type=f\nstart=10240, size=90000, type=7\n"
    )
    run("sfdisk", "-q", image, stdin=script)
    with loop_device(image, 10240 * 512, 90000 * 512, writable=True) as device:
        run("mkntfs", "-q", "-F", device)
    assert "logical" in refusal(image, "--size", "128M", "--partition", 5)


def test_only_ntfs_is_expanded(tmp_path: Path) -> None:
    image = tmp_path / "disk.raw"
    start, size = partitioned(image, "GPT", SIZE)
    with loop_device(image, start, size, writable=True) as device:
        run("mkfs.vfat", "-F", "32", device)
    assert "FAT32: only NTFS is expanded" in refusal(image, "--size", "2G", "--partition", 3)


def test_a_bare_volume_has_no_partition_to_extend(tmp_path: Path) -> None:
    image = tmp_path / "volume.img"
    with image.open("wb") as stream:
        stream.truncate(64 * MIB)
    run("mkntfs", "-q", "-F", image)
    assert "without a partition table" in refusal(image, "--size", "128M", "--partition", 1)


def test_a_table_that_is_not_in_order_is_not_rewritten(gpt: Path) -> None:
    with gpt.open("r+b") as stream:
        stream.seek(SIZE - 512)
        stream.write(bytes(512))
    assert "backup GPT is broken" in refusal(gpt, "--size", "2G", "--partition", 3)


def test_a_hibernated_volume_is_left_alone(gpt: Path) -> None:
    with mounted_ntfs(gpt, ESP_AND_MSR, SIZE - MIB - ESP_AND_MSR, writable=True) as root:
        (root / "hiberfil.sys").write_bytes(b"HIBR" + bytes(MIB))
    old = fingerprint(gpt)
    said = refusal(gpt, "--size", "2G", "--partition", 3)
    assert "is not extended: the Windows on partition 3" in said
    assert fingerprint(gpt) == old
