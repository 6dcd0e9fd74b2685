"""Partitions that do not stand for themselves (dynamic disks, storage pools): named, read at most, never changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from support.images import fingerprint
from support.machine import run
from vmrescue.cli.main import group
from vmrescue.errors import FormatError, RefusedError
from volume.disks import MIB, blank, gpt_disk, mbr_disk, ntfs_volume

if TYPE_CHECKING:
    from pathlib import Path

START = 2 * MIB
# sgdisk's codes: the logical disk manager's data and metadata, Storage Spaces
GPT_PARTS = {"4200": "dynamic disk", "4202": "storage pool"}
MBR_PARTS = {"42": "dynamic disk", "87": "dynamic disk", "e7": "storage pool"}


def vmrescue(*words: object) -> Result:
    """The command, in this process; an error of ours is its exception."""
    return CliRunner().invoke(group, [str(word) for word in words])


def refused(done: Result) -> str:
    """What was said where it was refused."""
    assert isinstance(done.exception, RefusedError), (done.output, done.exception)
    return str(done.exception)


def with_ntfs(disk: Path, at: int = START, size: int = 16 * MIB) -> Path:
    """The disk with an NTFS volume, which mkntfs made, at a place."""
    volume = ntfs_volume(disk.with_suffix(".ntfs"), size=size)
    with disk.open("r+b") as stream:
        stream.seek(at)
        stream.write(volume.read_bytes())
    volume.unlink()
    return disk


def gpt_part(folder: Path, code: str) -> Path:
    return with_ntfs(gpt_disk(folder / "disk.img", "-n1:4096:+16M", f"-t1:{code}", size=32 * MIB))


def mbr_part(folder: Path, kind: str) -> Path:
    return with_ntfs(mbr_disk(folder / "disk.img", f"label: dos\nstart=4096, size=32768, type={kind}\n", 32 * MIB))


EVERY_PART = [(gpt_part, code, whole) for code, whole in GPT_PARTS.items()] + [
    (mbr_part, kind, whole) for kind, whole in MBR_PARTS.items()
]


@pytest.mark.parametrize(("make", "kind", "whole"), EVERY_PART)
def test_nothing_is_changed_in_a_part_or_in_its_table(make, kind: str, whole: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    image = make(tmp_path, kind)
    source = tmp_path / "source"
    source.write_bytes(b"content")
    before = fingerprint(image)
    for words in (
        ["expand", image, "--size", "64M", "--partition", "1", "--yes"],
        ["put", f"{image}:1", source, "new.txt", "--yes"],
        ["rm", f"{image}:1", "$Volume", "--yes"],
        ["defrag", image, "--partition", "1", "--yes"],
        ["defrag", image, "--partition", "1", "--dry-run"],
    ):
        assert f"a part of a {whole}" in refused(vmrescue(*words)), words
    assert fingerprint(image) == before


@pytest.mark.parametrize(("make", "kind", "whole"), [EVERY_PART[0], EVERY_PART[2]])
def test_a_part_that_holds_a_whole_volume_is_read(make, kind: str, whole: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    image = make(tmp_path, kind)
    names = [row["name"] for row in json.loads(vmrescue("ls", f"{image}:1", "--format", "json").stdout)]
    assert "$MFT" in names


def test_a_piece_of_a_volume_is_not_read_as_one(tmp_path: Path) -> None:
    """The first disk of a spanned volume: its boot sector tells of more than its partition holds."""
    image = with_ntfs(gpt_disk(tmp_path / "disk.img", "-n1:4096:+8M", "-t1:4200", size=32 * MIB), size=16 * MIB)
    done = vmrescue("ls", f"{image}:1")
    assert isinstance(done.exception, FormatError)
    assert "a volume within 8388608 bytes" in str(done.exception)


def test_a_basic_partition_of_a_dynamic_disk_is_not_extended(tmp_path: Path) -> None:
    """The disk's database says how long it is; an MBR disk's lies in its last MiB."""
    script = "label: dos\nstart=4096, size=32768, type=7\nstart=40960, size=2048, type=42\n"
    image = with_ntfs(mbr_disk(tmp_path / "disk.img", script, 32 * MIB))
    before = fingerprint(image)
    done = vmrescue("expand", image, "--size", "64M", "--partition", "1", "--yes")
    assert "partition 2 (logical disk manager)" in refused(done)
    assert fingerprint(image) == before


@pytest.mark.parametrize("code", ["8300", "a500", "0c01", "8e00", "ef00", "af00"])
def test_any_partition_behind_the_one_that_grows_is_in_the_way(code: str, tmp_path: Path) -> None:
    options = ("-n1:4096:+16M", "-t1:0700", "-n2:0:+4M", f"-t2:{code}")
    image = with_ntfs(gpt_disk(tmp_path / "disk.img", *options, size=32 * MIB))
    before = fingerprint(image)
    done = vmrescue("expand", image, "--size", "64M", "--partition", "1", "--move-recovery", "--yes")
    assert "lies behind partition 1" in refused(done)
    assert fingerprint(image) == before


def test_partitions_of_other_systems_before_the_one_that_grows_stay_where_they_are(tmp_path: Path) -> None:
    options = ("-n1:2048:+1M", "-t1:8300", "-n2:4096:+16M", "-t2:0700")
    image = with_ntfs(gpt_disk(tmp_path / "disk.img", *options, size=32 * MIB))
    done = vmrescue("expand", image, "--size", "64M", "--partition", "2", "--yes")
    assert done.exception is None
    rows = json.loads(run("sfdisk", "--json", image))["partitiontable"]["partitions"]
    assert [(row["start"], row["size"] > 100_000) for row in rows] == [(2048, False), (4096, True)]
    assert "No problems found" in run("sgdisk", "-v", image)


@pytest.mark.parametrize("code", ["8300", "2700", "ef00"])
def test_a_partition_of_another_type_is_not_extended_though_it_holds_ntfs(code: str, tmp_path: Path) -> None:
    image = with_ntfs(gpt_disk(tmp_path / "disk.img", "-n1:4096:+16M", f"-t1:{code}", size=32 * MIB))
    done = vmrescue("expand", image, "--size", "64M", "--partition", "1", "--yes")
    assert "only basic data partitions are" in refused(done)


def test_a_dynamic_disk_of_a_windows_is_named_in_its_diagnosis(gen2_healthy: Path) -> None:
    raw = blank(gen2_healthy.with_suffix(".raw"), MIB)
    run("qemu-img", "convert", "-f", "vpc", "-O", "raw", gen2_healthy, raw)
    run("sgdisk", "-t3:4200", raw)
    said = vmrescue("diagnose", raw, "--only", "volume-state").stdout
    assert "partition 3 (C:) is part of a whole: its partition (logical disk manager data) belongs to" in said
    assert "note: partition 3 (C:) (logical disk manager data) is a part of a dynamic disk" in said
    before = fingerprint(raw)
    done = vmrescue("reg", raw, "add", "HKLM\\SYSTEM\\Setup", "/v", "x", "/d", "1", "/f", "--yes")
    assert "a part of a dynamic disk" in refused(done)
    assert fingerprint(raw) == before
