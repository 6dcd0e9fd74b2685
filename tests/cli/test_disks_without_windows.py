"""Disks on which no Windows boots: `info` shows what there is, and every command on files works on a volume named."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from ntfs.log_cases import committed
from ntfs.log_recipe import NEW, content_of, with_log
from support.images import fingerprint
from support.machine import run
from vmrescue.cli.main import group
from vmrescue.errors import NotFoundError, RefusedError, UsageError, VmRescueError
from volume.disks import MIB, blank, gpt_disk, ntfs_volume

if TYPE_CHECKING:
    from pathlib import Path


def vmrescue(*words: object) -> Result:
    """The command, in this process; an error of ours is its exception."""
    return CliRunner().invoke(group, [str(word) for word in words])


def said(*words: object) -> str:
    """What it printed, when it was content."""
    done = vmrescue(*words)
    assert (done.exit_code, done.exception) == (0, None), (words, done.output, done.exception)
    return done.output


def refused(*words: object, error: type[VmRescueError] = NotFoundError) -> str:
    done = vmrescue(*words)
    assert isinstance(done.exception, error), (words, done.output, done.exception)
    return str(done.exception)


def placed(disk: Path, volume: Path, at: int) -> None:
    with disk.open("r+b") as stream:
        stream.seek(at)
        stream.write(volume.read_bytes())


@pytest.fixture
def data_disk(tmp_path: Path) -> Path:
    """A GPT disk with two NTFS volumes and a FAT one, and no Windows."""
    options = ("-n1:4096:+8M", "-t1:0700", "-n2:20480:+8M", "-t2:0700", "-n3:36864:+8M", "-t3:0700")
    disk = gpt_disk(tmp_path / "data.img", *options, size=32 * MIB)
    placed(disk, ntfs_volume(tmp_path / "first", size=8 * MIB), 4096 * 512)
    placed(disk, ntfs_volume(tmp_path / "second", size=8 * MIB), 20480 * 512)
    fat = blank(tmp_path / "fat", 8 * MIB)
    run("mkfs.vfat", fat)
    placed(disk, fat, 36864 * 512)
    return disk


def test_info_shows_a_disk_without_a_windows(data_disk: Path) -> None:
    text = said("info", data_disk)
    assert "no Windows was found, raw image" in text
    assert text.count("NTFS") == 2
    assert "FAT" in text
    assert "note: there is no boot store" in text
    document = json.loads(said("info", data_disk, "--format", "json"))
    assert [volume["file_system"] for volume in document["volumes"]] == ["NTFS", "NTFS", "FAT12"]
    assert (document["windows"], document["generation"]) == (None, None)


def test_info_shows_what_has_no_table_or_a_damaged_one(data_disk: Path, tmp_path: Path) -> None:
    assert "no volumes" in said("info", blank(tmp_path / "blank.img", MIB))
    assert "note: partition table at byte" in said("info", tmp_path / "blank.img")
    with data_disk.open("r+b") as stream:
        stream.seek(512)
        stream.write(bytes(512))
        stream.seek(32 * MIB - 512)
        stream.write(bytes(512))
    assert "a sound copy at the disk's start or end" in said("info", data_disk)


def test_info_shows_a_bare_volume_and_a_bare_hive(tmp_path: Path) -> None:
    assert "NTFS" in said("info", ntfs_volume(tmp_path / "volume.img"))
    run("hivexregedit", "--help", ok=(0, 1, 2))
    hive = tmp_path / "store"
    assert vmrescue("bcdedit", "/createstore", hive).exit_code == 0
    assert "hive" in said("info", hive)


def test_info_shows_an_encrypted_disk(tmp_path: Path) -> None:
    disk = gpt_disk(tmp_path / "disk.img", "-n1:4096:+8M", "-t1:0700", size=32 * MIB)
    with disk.open("r+b") as stream:
        stream.seek(4096 * 512)
        stream.write(b"\xeb\x58\x90-FVE-FS-")
    assert "BitLocker" in said("info", disk)
    assert "disk.img:1 (BitLocker, basic data, 8 MiB)" in refused("ls", disk)


def test_a_choice_between_volumes_is_asked_for_by_name(data_disk: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"content")
    before = fingerprint(data_disk)
    for words in (
        ["ls", data_disk],
        ["cat", data_disk, "x"],
        ["get", data_disk, "x", tmp_path],
        ["put", data_disk, source, "x", "--yes"],
        ["rm", data_disk, "x", "--yes"],
        ["backup", data_disk, tmp_path / "backup"],
        ["cleanup", data_disk, "--list"],
        ["cleanup", data_disk, "--yes"],
        ["defrag", data_disk, "--analyze"],
        ["expand", data_disk, "--size", "64M", "--yes"],
    ):
        text = refused(*words)
        assert f"which volume is meant: it has {data_disk}:1 (NTFS, basic data, 8 MiB), " in text, words
        assert f"{data_disk}:3 (FAT12, basic data, 8 MiB)" in text
    assert "no partition 9 (it has" in refused("ls", f"{data_disk}:9")
    assert "no volume that its Windows calls C:" in refused("ls", f"{data_disk}:C")
    assert fingerprint(data_disk) == before


def test_every_command_on_files_works_on_the_volume_that_is_named(data_disk: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"content")
    for number in (2, 3):
        said("put", f"{data_disk}:{number}", source, "new.txt", "--yes")
        assert "new.txt" in said("ls", f"{data_disk}:{number}")
        assert said("cat", f"{data_disk}:{number}", "new.txt") == "content"
        said("get", f"{data_disk}:{number}", "new.txt", tmp_path / f"got{number}")
        said("cleanup", f"{data_disk}:{number}", "--list")
    said("rm", f"{data_disk}:2", "new.txt", "--yes")
    assert "in one piece" in (text := said("defrag", f"{data_disk}:1", "--analyze")) or "piece" in text
    said("defrag", f"{data_disk}:1", "--dry-run")
    assert "nothing to back up on partition 2" in refused("backup", f"{data_disk}:2", tmp_path / "backup")
    assert "lies behind partition 1" in refused("expand", f"{data_disk}:1", "--size", "64M", error=RefusedError)
    done = refused("expand", f"{data_disk}:1", "--partition", "2", "--size", "64M", error=UsageError)
    assert "which volume: 1" in done


def test_a_disk_with_one_volume_needs_no_name(tmp_path: Path) -> None:
    disk = gpt_disk(tmp_path / "disk.img", "-n1:4096:+8M", "-t1:0700", size=32 * MIB)
    placed(disk, ntfs_volume(tmp_path / "volume", size=8 * MIB), 4096 * 512)
    source = tmp_path / "source"
    source.write_bytes(b"x")
    said("put", disk, source, "new.txt", "--yes")
    assert "new.txt" in said("ls", disk)
    said("cleanup", disk, "--list")
    said("expand", disk, "--size", "64M", "--yes")
    assert json.loads(said("info", disk, "--format", "json"))["volumes"][0]["size"] > 50 * MIB


def test_what_lies_of_a_windows_on_a_volume_is_backed_up_and_cleaned(gen2_healthy: Path, tmp_path: Path) -> None:
    """The disk's table is gone from the ESP's point of view: its type says that it is something else."""
    raw = gen2_healthy.with_suffix(".raw")
    run("qemu-img", "convert", "-f", "vpc", "-O", "raw", gen2_healthy, raw)
    run("sgdisk", "-t1:0700", raw)
    said("backup", raw, tmp_path / "both")
    assert (tmp_path / "both/partition3/Windows/System32/config/SYSTEM").is_file()
    assert (tmp_path / "both/partition1/EFI/Microsoft/Boot/BCD").is_file()
    said("backup", f"{raw}:3", tmp_path / "hives")
    assert (tmp_path / "hives/partition3/Windows/System32/config/SYSTEM").is_file()
    said("backup", f"{raw}:1", tmp_path / "store")
    assert (tmp_path / "store/partition1/EFI/Microsoft/Boot/BCD").is_file()
    rows = json.loads(said("cleanup", f"{raw}:3", "--list", "--format", "json"))
    assert {row["category"] for row in rows} >= {"windows-temp", "hibernation"}


def test_what_cleaning_would_win_is_listed_of_an_image_that_is_only_read(gen2_healthy: Path) -> None:
    image = gen2_healthy.with_suffix(".vmdk")
    run("qemu-img", "convert", "-f", "vpc", "-O", "vmdk", "-o", "subformat=streamOptimized", gen2_healthy, image)
    before = fingerprint(image)
    assert said("cleanup", image, "--list") == said("cleanup", gen2_healthy, "--list")
    refused("cleanup", image, "--yes", error=RefusedError)
    assert fingerprint(image) == before


def test_the_log_of_a_data_volume_is_replayed_on_request(tmp_path: Path) -> None:
    volume = tmp_path / "volume.img"
    scene, log = committed(NEW, "big")
    volume.write_bytes(with_log(content_of(scene), log.to_bytes()))
    assert "log" in vmrescue("diagnose", volume, "--only", "volume-state").output
    assert "no boot store" in refused("repair", volume, "--yes")
    done = vmrescue("repair", volume, "--only", "volume-state", "--yes")
    assert done.exception is None, done.exception
    assert "Nothing is wrong" in said("diagnose", volume, "--only", "volume-state")


def test_what_a_damaged_volume_keeps_from_being_done_is_said_without_advice_that_is_none(tmp_path: Path) -> None:
    volume = blank(tmp_path / "fat.img", 8 * MIB)
    run("mkfs.vfat", "-F", "16", "-s", "1", volume)
    run("mcopy", "-i", volume, "-", "::FILE", stdin=b"of four clusters" * 128)
    data = bytearray(volume.read_bytes())
    (reserved,), (sectors,) = struct.unpack_from("<H", data, 14), struct.unpack_from("<H", data, 22)
    for copy in range(2):  # the file's first cluster is marked as free
        struct.pack_into("<H", data, (reserved + copy * sectors) * 512 + 2 * 2, 0)
    volume.write_bytes(data)
    source = tmp_path / "source"
    source.write_bytes(b"content")
    text = refused("put", volume, source, "new.txt", "--yes", error=RefusedError)
    assert "before chkdsk has mended it" in text
    assert "--skip" not in text
    assert volume.read_bytes() == bytes(data)


def test_a_blank_data_disk_is_named_and_ends_nothing(gen2_healthy: Path, tmp_path: Path) -> None:
    data = blank(tmp_path / "data.img", MIB)
    text = said("diagnose", gen2_healthy, "--data-disk", data)
    assert f"advice    missing-part: data disk 1 ({data}): partition table at byte 510" in text
    assert "no volumes" not in said("info", gen2_healthy, "--data-disk", data)
    assert "There is nothing to change" in said("repair", gen2_healthy, "--data-disk", data, "--yes")


def test_a_store_and_a_windows_are_chosen_by_their_places(gen2_healthy: Path) -> None:
    document = json.loads(said("info", gen2_healthy, "--format", "json", "--store", r"1:\EFI\Microsoft\Boot\BCD"))
    assert [(each["partition"], each["boots"]) for each in document["stores"]] == [(1, True)]
    assert document["windows"]["way"].endswith("of \\EFI\\Microsoft\\Boot\\BCD on partition 1 names it")
    assert (
        json.loads(said("info", gen2_healthy, "--format", "json", "--windows", "3"))["windows"]["way"] == "as was said"
    )
    assert "no boot store at 3; there are \\EFI" in refused("diagnose", gen2_healthy, "--store", "3")
    assert "no Windows at 1; there are \\Windows on partition 3" in refused("diagnose", gen2_healthy, "--windows", "1")
    assert "no partition 'C'" in refused("repair", gen2_healthy, "--windows", "C")
    said("diagnose", gen2_healthy, "--windows", r"3:\windows", "--only", "page-file")
    said("bcdedit", gen2_healthy, "--store", "1")
    said("reg", gen2_healthy, "--windows", "3", "query", r"HKLM\SYSTEM\Select")


def test_what_is_odd_about_an_image_is_said_where_it_cannot_be_diagnosed(data_disk: Path) -> None:
    with data_disk.open("r+b") as stream:
        stream.seek(32 * MIB - 512)
        stream.write(bytes(512))
    done = CliRunner().invoke(group, ["diagnose", str(data_disk)])
    assert isinstance(done.exception, NotFoundError)
    assert "note: " in done.stderr
    assert "the backup GPT is broken" in done.stderr
