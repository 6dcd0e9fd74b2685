"""Single tasks from Python do what the commands of the same names do."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import vmrescue
from support.command import output_of
from support.images import fingerprint, sample, sha256
from support.machine import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def changes_of(document: Any) -> list[Any]:
    return [step["change"] for step in document["plan"]["steps"]]


@pytest.mark.parametrize(
    ("words", "call"),
    [
        (["expand", "--size", "700M"], lambda image: vmrescue.expand(image, 700 << 20, dry_run=True)),
        (
            ["cleanup", "--category", "windows-temp"],
            lambda image: vmrescue.cleanup(image, ["windows-temp"], dry_run=True),
        ),
        (["cleanup"], lambda image: vmrescue.cleanup(image, dry_run=True)),
    ],
)
def test_a_call_plans_what_the_command_plans(
    gen1_broken: Path, words: list[str], call: Callable[[Path], vmrescue.Receipt]
) -> None:
    before = fingerprint(gen1_broken)
    printed = json.loads(output_of(words[0], gen1_broken, *words[1:], "--dry-run", "--format", "json", status=(0, 1)))
    planned = call(gen1_broken)
    assert changes_of(planned.to_dict()) == changes_of(printed) != []
    assert not planned.committed
    assert fingerprint(gen1_broken) == before


def test_expand_and_cleanup_write_and_are_taken_back(gen1_broken: Path) -> None:
    before = fingerprint(gen1_broken)
    assert vmrescue.cleanup(gen1_broken).committed
    assert vmrescue.expand(gen1_broken, 700 << 20, backup_dir=gen1_broken.parent / "kept").committed
    assert json.loads(run("qemu-img", "info", "--output=json", gen1_broken))["virtual-size"] >= 700 << 20
    vmrescue.undo(gen1_broken)
    vmrescue.undo(gen1_broken)
    assert fingerprint(gen1_broken) == before


def test_defrag_moves_in_a_copy_and_leaves_the_image_alone(gen1_broken: Path, tmp_path: Path) -> None:
    before, copy = fingerprint(gen1_broken), tmp_path / "copy.vhd"
    would = vmrescue.defrag(gen1_broken, dry_run=True)
    told: list[tuple[int, int]] = []
    done = vmrescue.defrag(gen1_broken, copy_to=copy, progress=lambda moved, total: told.append((moved, total)))
    assert not would.committed
    assert done.committed
    assert told
    assert copy.exists()
    assert fingerprint(gen1_broken) == before


def test_backup_copies_the_hives_as_they_are(gen1_broken: Path, tmp_path: Path) -> None:
    rows = vmrescue.backup(gen1_broken, tmp_path / "saved")
    assert {row["path"].rpartition("\\")[2] for row in rows} >= {"SYSTEM", "SOFTWARE", "BCD"}
    for row in rows:
        assert sha256(tmp_path / "saved" / row["copy"]) == row["sha256"]


def test_half_a_backup_is_taken_away_and_leaves_what_was_there(gen1_broken: Path, tmp_path: Path) -> None:
    """A limit on the size of files ends it at a hive, as a full disk does."""
    ours = tmp_path / "old" / "notes"
    ours.parent.mkdir()
    ours.write_text("x")
    for folder in (tmp_path / "new", ours.parent):
        done = limited("backup", gen1_broken, folder)
        assert (done.returncode, "no backup can be written to" in done.stderr) == (5, True)
    assert not (tmp_path / "new").exists()
    assert list(ours.parent.iterdir()) == [ours]
    vmrescue.backup(gen1_broken, ours.parent)
    with pytest.raises(vmrescue.WriteError, match="BCD is there already"):
        vmrescue.backup(gen1_broken, ours.parent)


def limited(*words: str | Path) -> subprocess.CompletedProcess[str]:
    line = ["prlimit", "--fsize=40000", sys.executable, "-m", "vmrescue", *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def test_explain_gives_the_declaration() -> None:
    assert vmrescue.explain("bad-memory").severity == "critical"  # type: ignore[union-attr]
    assert "ramdisk" in str(vars(vmrescue.explain("0xc0000017")))
    with pytest.raises(vmrescue.UsageError, match="no check and no stop code 'nonsense'"):
        vmrescue.explain("nonsense")


@pytest.mark.parametrize(
    ("what", "call"),
    [
        ("only", lambda image: vmrescue.diagnose(image, only="bad-memory")),
        ("skip", lambda image: vmrescue.diagnose(image, skip="memory")),
        ("data_disks", lambda image: vmrescue.diagnose(image, data_disks=str(image))),
        ("data_disks", lambda image: vmrescue.rehearse(image, data_disks=image)),
        ("only", lambda image: vmrescue.repair(image, only="bad-memory")),
        ("skip", lambda image: vmrescue.repair(image, skip="bad-memory")),
        ("data_disks", lambda image: vmrescue.repair(image, data_disks=str(image))),
        ("accept", lambda image: vmrescue.repair(image, accept="discard-saved-state")),
        ("only", lambda image: vmrescue.rescue(image, only="logs")),
        ("without", lambda image: vmrescue.rescue(image, without="logs")),
        ("data_disks", lambda image: vmrescue.rescue(image, data_disks=str(image))),
        ("categories", lambda image: vmrescue.cleanup(image, "thumbnails")),
        ("files", lambda image: vmrescue.defrag(image, files=r"\pagefile.sys")),
        ("only", lambda image: vmrescue.diagnose(image).plan(only="bad-memory")),
    ],
)
def test_a_text_in_place_of_a_list_is_said_as_that(
    tmp_path_factory: pytest.TempPathFactory, what: str, call: Callable[[Path], object]
) -> None:
    image = sample("gen2-healthy", tmp_path_factory.mktemp("image"))
    before = fingerprint(image)
    with pytest.raises(vmrescue.UsageError, match=f"^{what}: a list is expected, such as"):
        call(image)
    assert fingerprint(image) == before
