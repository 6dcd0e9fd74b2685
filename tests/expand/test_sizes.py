"""Disks of every style and container made larger, up to what Azure takes: judges agree, and undo gives the old back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import vmrescue as library
from expand.disks import (
    GIB,
    MIB,
    OS_NUMBER,
    check_container,
    contained,
    disk_with_files,
    expected_files,
    seen_by_judges,
)
from support.command import output_of
from support.images import fingerprint

if TYPE_CHECKING:
    from pathlib import Path

MOST_WRITTEN = 64 * MIB


@pytest.mark.parametrize("container", ["fixed VHD", "dynamic VHD", "raw"])
@pytest.mark.parametrize("style", ["GPT", "MBR"])
def test_8_gib_become_64_and_8_again(tmp_path: Path, style: str, container: str) -> None:
    start, _ = disk_with_files(tmp_path / "disk.raw", style, 8 * GIB)
    image = contained(tmp_path / "disk.raw", container)
    old = fingerprint(image)

    output_of("expand", image, "--size", "64G", "--partition", OS_NUMBER[style], "--yes", "--quiet")

    after = seen_by_judges(image, style)
    check_container(image, 64 * GIB)
    assert (after.start, after.start + after.size) == (start, 64 * GIB - MIB)
    assert after.files == expected_files()
    library.undo(image)
    assert fingerprint(image) == old


@pytest.mark.parametrize(("style", "container"), [("GPT", "fixed VHD"), ("MBR", "dynamic VHD")])
def test_127_gib_become_1024_with_little_written(tmp_path: Path, style: str, container: str) -> None:
    disk_with_files(tmp_path / "disk.raw", style, 127 * GIB)
    image = contained(tmp_path / "disk.raw", container)
    old = fingerprint(image)

    words = ("--size", "1024G", "--partition", OS_NUMBER[style], "--yes", "--format", "json")
    receipt = json.loads(output_of("expand", image, *words))

    after = seen_by_judges(image, style)
    check_container(image, 1024 * GIB)
    written = sum(row["length"] for rows in receipt["written"].values() for row in rows)
    print(f"{style}, {container}: {written} bytes written")
    assert written < MOST_WRITTEN
    assert after.start + after.size == 1024 * GIB - MIB
    assert after.files == expected_files()
    library.undo(image)
    assert fingerprint(image) == old


def test_a_fixed_vhd_becomes_as_large_as_an_os_disk_of_azure_can_be(tmp_path: Path) -> None:
    disk_with_files(tmp_path / "disk.raw", "GPT", 8 * GIB)
    image = contained(tmp_path / "disk.raw", "fixed VHD")
    old = fingerprint(image)
    output_of("expand", image, "--size", "4095G", "--partition", 3, "--yes", "--quiet")
    after = seen_by_judges(image, "GPT")
    check_container(image, 4095 * GIB)
    assert after.start + after.size == 4095 * GIB - MIB
    assert after.files == expected_files()
    library.undo(image)
    assert fingerprint(image) == old
