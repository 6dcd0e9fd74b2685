"""An image whose end is missing: it is said, nothing is changed in it, and a rehearsal does not end calmly."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import vmrescue
from support.command import vmrescue as command
from support.images import fingerprint
from vmrescue.disk import open_disk

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20
OS_VOLUME = 33 * MIB, 606 * MIB  # of gen1-broken: (first byte, bytes)


def cut(image: Path, size: int) -> Path:
    with image.open("r+b") as file:
        file.truncate(size)
    return image


def test_an_image_that_ends_in_a_partition_is_critical_and_every_edit_is_refused(gen1_broken: Path) -> None:
    disk = cut(gen1_broken, 300 * MIB)
    before = fingerprint(disk)
    diagnosis = vmrescue.diagnose(disk)
    [finding] = [each for each in diagnosis.findings if each.check == "cut-short"]
    assert finding.severity == "critical"
    assert "partition 2 reaches to byte 670040064, and the disk ends at byte 314572800: 355467264 of" in finding.summary
    assert diagnosis.refusal
    assert "copy or download it again" in diagnosis.refusal
    assert all(each.refused for each in diagnosis.findings if each.changes)
    for words in (
        ["repair", disk, "--yes"],
        ["rescue", disk, "--yes"],
        ["put", f"{disk}:1", __file__, "\\new.txt", "--yes"],
        ["expand", disk, "--size", "1G", "--yes"],
        ["bcdedit", disk, "/timeout", "5"],
        ["repair", disk, "--copy-to", disk.with_name("copy.vhd"), "--yes"],
    ):
        refused = command(*words)
        assert (refused.returncode, "cut short" in refused.stderr) == (4, True), (words, refused.stderr)
    assert fingerprint(disk) == before
    assert not disk.with_name("copy.vhd").exists()


def test_a_rehearsal_of_what_damage_hides_is_no_calm_end(gen1_broken: Path) -> None:
    disk = cut(gen1_broken, 300 * MIB)
    rehearsed = command("rehearse", disk)
    assert rehearsed.returncode == 1
    assert "What could not be is hidden by damage: partition 2 reaches" in rehearsed.stdout
    assert json.loads(command("rehearse", disk, "--format", "json").stdout)["damage"].startswith("partition 2 reaches")


def test_a_bare_volume_that_ends_before_its_boot_sector_says_is_cut_short(gen1_broken: Path, tmp_path: Path) -> None:
    volume = tmp_path / "volume.raw"
    start, size = OS_VOLUME
    with gen1_broken.open("rb") as whole, volume.open("wb") as part:
        whole.seek(start)
        part.write(whole.read(64 * MIB))
        part.truncate(size - 64 * MIB)
    diagnosis = vmrescue.diagnose(volume, only=["cut-short"])
    assert "volume of partition 1 reaches to byte 635436544, and the disk ends" in diagnosis.findings[0].summary
    assert diagnosis.refusal


def test_a_vhd_without_its_footer_is_a_warning_and_the_copy_that_is_advised_has_one(gen1_broken: Path) -> None:
    disk = cut(gen1_broken, gen1_broken.stat().st_size - 512)
    found = command("diagnose", disk, "--only", "cut-short", "--format", "json")
    assert found.returncode == 1
    [finding] = json.loads(found.stdout)["findings"]
    assert finding["severity"] == "warning"
    [(program, *words)] = finding["commands"]
    assert program == "vmrescue"
    assert command(*words, "--only", "bad-memory", "--yes").returncode in (0, 1)
    copy = disk.with_name(f"{disk.stem}-copy.vhd")
    with_footer = open_disk(copy)
    assert with_footer.format == "fixed VHD"
    with_footer.close()
    assert vmrescue.diagnose(copy, only=["cut-short"]).findings == []
    assert command("repair", disk, "--only", "bad-memory", "--yes").returncode in (0, 1)  # as a raw image
