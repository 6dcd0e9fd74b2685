"""Disks made larger: every judge finds them in order, no file has changed, and undo gives the old image back."""

from __future__ import annotations

import errno
import json
from itertools import count
from typing import TYPE_CHECKING

import pytest

import vmrescue as library
from expand.disks import (
    ESP_AND_MSR as OS_START,
)
from expand.disks import (
    GIB,
    MIB,
    OS_NUMBER,
    check_container,
    disk_with_files,
    expected_files,
    partitioned,
    seen_by_judges,
)
from ntfs.volumes import windows_volume
from support.command import output_of
from support.crash import failing
from support.images import fingerprint
from support.machine import run
from support.machine_disk import loop_device, mounted_ntfs
from vmrescue.diagnosis.command_line import commands
from vmrescue.disk import EditSession
from vmrescue.errors import AfterCommitError
from vmrescue.plan import Plan

if TYPE_CHECKING:
    from pathlib import Path


def test_the_os_volume_is_what_grows_and_is_no_longer_full(gen1_broken: Path) -> None:
    before, old = library.diagnose(gen1_broken), fingerprint(gen1_broken)
    assert "free-space" in {finding.check for finding in before.findings}

    text = output_of("expand", gen1_broken, "--size", "8G", "--yes")

    assert "free-space" not in text
    after = library.diagnose(gen1_broken)
    assert after.disk.size == 8 * GIB
    assert {found.check for found in before.findings} - {found.check for found in after.findings} == {"free-space"}
    output_of("undo", gen1_broken)
    assert fingerprint(gen1_broken) == old


def test_the_windows_of_a_generation_2_disk_is_still_found(gen2_healthy: Path) -> None:
    files, old = seen_by_judges(gen2_healthy, "GPT").files, fingerprint(gen2_healthy)
    output_of("expand", gen2_healthy, "--size", "8G", "--yes", "--quiet")
    assert library.diagnose(gen2_healthy).healthy
    assert seen_by_judges(gen2_healthy, "GPT").files == files
    output_of("undo", gen2_healthy)
    assert fingerprint(gen2_healthy) == old


def test_a_disk_whose_volume_windows_formatted_grows(tmp_path: Path) -> None:
    image, volume = tmp_path / "disk.raw", windows_volume()
    partitioned(image, "GPT", OS_START + len(volume) + 2 * MIB)
    run("sgdisk", "-d", "3", "-n", f"3:{OS_START // 512}:+{len(volume) // 512 - 1}", "-t", "3:0700", image)
    with image.open("r+b") as stream:
        stream.seek(OS_START)
        stream.write(volume)
    old = fingerprint(image)
    output_of("expand", image, "--size", "127G", "--partition", 3, "--yes", "--quiet")
    check_container(image, 127 * GIB)
    with loop_device(image, OS_START, 127 * GIB - MIB - OS_START) as device:
        assert "Accounting clusters" in run("ntfsresize", "--info", "--force", "--no-progress-bar", device)
        assert "alternate boot sector... OK" in run("ntfsfix", "-n", device)
    library.undo(image)
    assert fingerprint(image) == old


def test_a_dry_run_shows_the_change_and_writes_nothing(gen2_healthy: Path) -> None:
    old = fingerprint(gen2_healthy)
    text = output_of("expand", gen2_healthy, "--size", "8G", "--dry-run")
    assert "671088640 bytes (640 MiB)" in text
    assert "8589934592 bytes (8 GiB)" in text
    assert "Nothing was written" in text
    assert fingerprint(gen2_healthy) == old


def test_expanding_twice_and_undoing_twice_gives_the_first_image_back(gen2_healthy: Path) -> None:
    old = fingerprint(gen2_healthy)
    output_of("expand", gen2_healthy, "--size", "2G", "--yes", "--quiet")
    middle = fingerprint(gen2_healthy)
    output_of("expand", gen2_healthy, "--size", "8G", "--yes", "--quiet")
    seen_by_judges(gen2_healthy, "GPT")
    library.undo(gen2_healthy)
    assert fingerprint(gen2_healthy) == middle
    library.undo(gen2_healthy)
    assert fingerprint(gen2_healthy) == old


@pytest.mark.parametrize("style", ["GPT", "MBR"])
def test_a_disk_that_has_room_already_gives_it_to_the_volume(tmp_path: Path, style: str) -> None:
    """As after a resize in the portal: the disk is long, its table and volume are not. What lies there is not zero."""
    image = tmp_path / "disk.raw"
    disk_with_files(image, style, 2 * GIB)
    with image.open("r+b") as stream:
        stream.truncate(6 * GIB)
        stream.seek(2 * GIB - (0 if style == "GPT" else MIB))  # a GPT's backup is still at the old end
        for _ in range(64):
            stream.write(b"\xa5" * MIB)
    output_of("expand", image, "--size", "6G", "--partition", OS_NUMBER[style], "--yes", "--quiet")

    after = seen_by_judges(image, style)
    assert after.start + after.size == 6 * GIB - MIB
    assert after.files == expected_files()


def test_a_reviewed_plan_expands_only_the_disk_that_it_was_made_for(gen2_healthy: Path) -> None:
    document = json.loads(output_of("expand", gen2_healthy, "--size", "2G", "--dry-run", "--format", "json"))
    plan = Plan.from_json(json.dumps(document["plan"]))
    assert [change.kind for change in plan.changes] == ["expand-disk", "expand-volume"]

    receipt = library.repair(gen2_healthy, plan=plan)

    assert receipt.committed
    seen_by_judges(gen2_healthy, "GPT")
    with pytest.raises(library.VmRescueError, match="the plan is for a disk of 671088640 bytes"):
        library.repair(gen2_healthy, plan=plan)


def test_an_expansion_whose_writes_fail_leaves_the_old_image(gen2_healthy: Path) -> None:
    """Calls of the operating system fail one after the other, as on a full disk, until none is left to fail."""
    plan = Plan.from_json(
        json.dumps(
            json.loads(output_of("expand", gen2_healthy, "--size", "2G", "--dry-run", "--format", "json"))["plan"]
        )
    )
    old = fingerprint(gen2_healthy)
    for at in count(0, 7):
        changed = False
        with failing(at, errno.ENOSPC) as calls:
            try:
                library.repair(gen2_healthy, plan=plan)
            except AfterCommitError:  # only its receipt could not be written
                changed = True
            except library.VmRescueError:
                changed = False
        if len(calls) <= at:
            break
        EditSession(gen2_healthy).close()  # rolls back what is pending
        if changed:
            seen_by_judges(gen2_healthy, "GPT")
            library.undo(gen2_healthy)
        assert fingerprint(gen2_healthy) == old
    seen_by_judges(gen2_healthy, "GPT")
    library.undo(gen2_healthy)
    assert fingerprint(gen2_healthy) == old


def test_a_volume_that_ends_before_its_partition_is_given_that_first(gen1_broken: Path) -> None:
    """As after a copy onto a larger partition. What is said of its size is the volume's."""
    place = 33 << 20, 606 << 20
    with mounted_ntfs(gen1_broken, *place, writable=True) as root:
        (root / "Windows/Temp/fill.bin").unlink()
    with loop_device(gen1_broken, *place, writable=True) as device:
        run("ntfsresize", "--force", "--size", "250M", device, stdin=b"y\n")
        run("ntfsfix", "-d", device)
    before = fingerprint(gen1_broken)

    diagnosis = library.diagnose(gen1_broken, library.Policy(min_free=400 << 20), only=["free-space"])
    assert any("has 606 MiB, the volume in it 2" in warning for warning in diagnosis.warnings)
    [finding] = diagnosis.findings
    assert 249_000_000 < finding.evidence["bytes_total"] < 251_000_000
    assert 384_000_000 < finding.evidence["bytes_by_growing"] < 387_000_000
    [command] = commands(diagnosis, finding)
    assert command == ("vmrescue", "expand", str(gen1_broken), "--size", "640M")
    output_of(*command[1:], "--yes", "--quiet")

    assert library.diagnose(gen1_broken, library.Policy(min_free=400 << 20), only=["free-space"]).findings == []
    with loop_device(gen1_broken, *place) as device:
        run("ntfsresize", "--info", "--force", device)
    library.undo(gen1_broken)
    assert fingerprint(gen1_broken) == before
