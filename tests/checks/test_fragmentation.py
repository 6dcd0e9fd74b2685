"""What the procedure's step "free up space" finds: fragments, and what would make room."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import vmrescue
from support.command import output_of
from vmrescue.diagnosis.command_line import commands
from vmrescue.report.text import diagnosis_text

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue import Diagnosis, Finding

MIB = 1 << 20


def only(image: Path, check: str, **policy: int) -> list[Finding]:
    return diagnosed(image, check, **policy).findings


def diagnosed(image: Path, check: str, **policy: int) -> Diagnosis:
    return vmrescue.diagnose(image, policy=vmrescue.Policy(**policy), only=[check])  # type: ignore[arg-type]


def advised(image: Path, check: str, **policy: int) -> tuple[tuple[str, ...], ...]:
    """What the one finding of a check would have run."""
    diagnosis = diagnosed(image, check, **policy)
    [finding] = diagnosis.findings
    return commands(diagnosis, finding)


def test_the_samples_are_not_fragmented(gen1_broken: Path, gen2_broken: Path) -> None:
    assert only(gen1_broken, "fragmentation") == only(gen2_broken, "fragmentation") == []


def test_free_space_in_short_stretches_is_a_finding_from_the_policys_threshold_on(gen2_broken: Path) -> None:
    [finding] = only(gen2_broken, "fragmentation", min_free_extent=90 * MIB)
    assert (finding.severity, finding.changes) == ("advice", ())
    assert 64 * MIB < finding.evidence["bytes_in_longest"] < 90 * MIB
    assert finding.evidence["bytes_wanted_in_longest"] == 90 * MIB
    assert advised(gen2_broken, "fragmentation", min_free_extent=90 * MIB) == (
        ("vmrescue", "defrag", str(gen2_broken), "--free-space"),
    )
    said = json.loads(output_of("defrag", gen2_broken, "--analyze", "--format", "json"))
    assert finding.evidence["bytes_in_longest"] == said["largest_free"]
    assert finding.evidence["free_extents"] == said["free_extents"]
    assert only(gen2_broken, "fragmentation", min_free_extent=110 * MIB) == []  # less than twice as much is free


def test_a_hive_in_many_pieces_is_a_finding_with_the_command_that_mends_it(gen2_healthy: Path) -> None:
    [finding] = only(gen2_healthy, "fragmentation", max_pieces=0)
    hive = "Windows\\System32\\config\\SYSTEM"
    assert finding.evidence["pieces"][hive] == 1
    [words] = advised(gen2_healthy, "fragmentation", max_pieces=0)
    assert words[:3] == ("vmrescue", "defrag", str(gen2_healthy))
    assert words[words.index(hive) - 1] == "--file"
    assert "$MFT" in words
    output_of(*words[1:], "--yes", "--quiet")
    text = diagnosis_text(vmrescue.diagnose(gen2_healthy, policy=vmrescue.Policy(max_pieces=0)))
    assert "run: vmrescue defrag" in text
    assert "none that vmrescue can make" not in text


def test_a_larger_disk_is_proposed_where_cleaning_is_not_enough_and_the_command_works(gen2_broken: Path) -> None:
    [finding] = only(gen2_broken, "free-space", min_free=20 << 30)
    expand = advised(gen2_broken, "free-space", min_free=20 << 30)[-1]
    assert expand == ("vmrescue", "expand", str(gen2_broken), "--size", "32G")
    won = finding.evidence["bytes_by_growing"]
    assert finding.evidence["bytes_of_larger_disk"] == 32 << 30
    assert "a disk of 32 GiB would win 31.4 GiB" in finding.meaning

    output_of(*expand[1:], "--yes", "--quiet")

    assert only(gen2_broken, "free-space", min_free=20 << 30) == []
    free = vmrescue.diagnose(gen2_broken, only=["free-space"]).volumes[2].free
    assert won - 2 * MIB < free - finding.evidence["bytes_free"] <= won


def test_no_larger_disk_is_proposed_where_cleaning_is_enough_or_growing_is_refused(gen2_broken: Path) -> None:
    [finding] = only(gen2_broken, "free-space")
    if finding.evidence["bytes_free"] + sum(finding.evidence["bytes_by_cleanup"].values()) >= 300 * MIB:
        assert all("expand" not in words for words in advised(gen2_broken, "free-space"))
    [finding] = only(gen2_broken, "free-space", min_free=5000 << 30)
    assert all("expand" not in words for words in advised(gen2_broken, "free-space", min_free=5000 << 30))
    assert "as large as Azure's OS disks are" in finding.meaning
