"""Images whose own container says that an edit may do harm: refused by every command, unless the risk is named."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

import vmrescue as library
from support.command import DONE, output_of, vmrescue
from support.images import fingerprint
from support.machine import run
from vmrescue.device import next_data
from vmrescue.disk import EditSession, accepting, open_disk
from vmrescue.errors import RefusedError, UsageError
from vmrescue.image.containers.vhd_create import create_differencing
from vmrescue.image.containers.vhd_layout import FOOTER_CHECKSUM_AT, sealed
from vmrescue.transaction import Transaction
from vmrescue.transaction.recorder import Recorder

if TYPE_CHECKING:
    from pathlib import Path

SAVED_STATE_AT = 84  # in the footer; Microsoft, "Virtual Hard Disk Image Format Specification", 1.0
SAVED = "its virtual machine was saved"
CHANGED = "was changed or copied after"


def mark_as_saved(image: Path) -> Path:
    """As a host leaves the VHD of a machine that it has saved: in the footer, and in its copy where there is one."""
    with image.open("r+b") as stream:
        stream.seek(-512, os.SEEK_END)
        raw = stream.read()
        marked = sealed(raw[:SAVED_STATE_AT] + b"\1" + raw[SAVED_STATE_AT + 1 :], FOOTER_CHECKSUM_AT)
        stream.seek(0)
        if stream.read(8) == b"conectix":
            stream.seek(0)
            stream.write(marked)
        stream.seek(-512, os.SEEK_END)
        stream.write(marked)
    return image


def edits(image: Path, folder: Path) -> list[list[object]]:
    """Every command that edits an image, in words that succeed on a sound sample."""
    note = folder / "note.txt"
    note.write_text("x")
    plan = folder / "plan.json"
    return [
        ["repair", image, "--yes"],
        ["repair", image, "--dry-run"],
        ["repair", image, "--yes", "--copy-to", folder / "copy.vhd"],
        ["repair", image, "--yes", "--into", folder / "over.vhd"],
        ["apply", plan, image, "--yes"],
        ["plan", image],
        ["put", image, note, "note.txt", "--yes"],
        ["rm", image, r"Windows\System32\config\SAM", "--yes"],
        ["reg", image, "add", r"HKLM\SYSTEM\Setup", "/v", "Mark", "/d", "x", "/f"],
        ["bcdedit", image, "/timeout", "7", "--yes"],
        ["cleanup", image, "--yes"],
        ["expand", image, "--size", "2G", "--yes"],
        ["defrag", image, "--yes"],
        ["defrag", image, "--yes", "--copy-to", folder / "copy.vhd"],
    ]


@pytest.fixture
def saved(gen1_broken: Path, tmp_path: Path) -> Path:
    (tmp_path / "plan.json").write_text(library.diagnose(gen1_broken).plan().to_json())
    return mark_as_saved(gen1_broken)


def test_a_diagnosis_of_such_a_disk_promises_no_repair(saved: Path) -> None:
    diagnosis = library.diagnose(saved)
    assert SAVED in str(diagnosis.refusal)
    assert {bool(each.refused) for each in diagnosis.findings if each.changes} == {True}


def test_the_disk_of_a_saved_machine_is_edited_by_no_command(saved: Path, tmp_path: Path) -> None:
    before = fingerprint(saved)
    for words in edits(saved, tmp_path):
        done = vmrescue(*words)
        assert (done.returncode, SAVED in done.stderr, "--discard-saved-state" in done.stderr) == (4, True, True), (
            words,
            done.stderr,
        )
    assert fingerprint(saved) == before
    assert not list(tmp_path.glob("copy*")) + list(tmp_path.glob("over*"))


def test_a_saved_machine_that_only_the_footers_copy_tells_of_is_one(gen2_broken: Path, gen1_broken: Path) -> None:
    """A host may have died between the two; in a fixed VHD, byte 0 is the guest's own."""
    mark_as_saved(gen2_broken)
    raw = gen2_broken.read_bytes()
    footer = sealed(raw[-512:][:SAVED_STATE_AT] + b"\0" + raw[-512:][SAVED_STATE_AT + 1 :], FOOTER_CHECKSUM_AT)
    with gen2_broken.open("r+b") as stream:
        stream.seek(-512, os.SEEK_END)
        stream.write(footer)
    before = fingerprint(gen2_broken)
    with pytest.raises(RefusedError, match=r"copy of its footer says .* was saved"):
        library.repair(gen2_broken)
    assert fingerprint(gen2_broken) == before
    assert library.repair(gen2_broken, accept=["discard-saved-state"]).committed

    with gen1_broken.open("r+b") as stream:
        stream.write(raw[:440])  # the code of the MBR, which may begin as it likes
    assert not any("saved" in warning for warning in library.diagnose(gen1_broken).warnings)


def test_whoever_throws_the_saved_state_away_may_edit(saved: Path) -> None:
    before = fingerprint(saved)
    said = output_of("repair", saved, "--yes", "--discard-saved-state", status=DONE)
    assert "Repaired" in said
    output_of("undo", saved)
    assert fingerprint(saved) == before
    with pytest.raises(RefusedError, match="--discard-saved-state"):
        library.repair(saved)
    assert library.repair(saved, accept=["discard-saved-state"]).committed
    library.undo(saved)
    with pytest.raises(RefusedError, match="saved"):
        open_disk(saved, writable=True)
    with pytest.raises(UsageError, match="no risk 'everything'"), accepting(["everything"]):
        pass


def test_a_child_whose_parent_was_changed_since_is_edited_by_no_command(gen1_broken: Path, tmp_path: Path) -> None:
    child = tmp_path / "child.vhd"
    create_differencing(gen1_broken, child)
    EditSession(child).close()
    os.utime(gen1_broken, (2_000_000_000, 2_000_000_000))
    before = fingerprint(child)
    for words in (["repair", child, "--yes"], ["bcdedit", child, "/timeout", "7", "--yes"], ["defrag", child, "--yes"]):
        done = vmrescue(*words)
        assert (done.returncode, CHANGED in done.stderr) == (4, True), (words, done.stderr)
        assert "--although-parent-changed" in done.stderr
    assert vmrescue("repair", child, "--yes", "--discard-saved-state").returncode == 4  # another risk
    assert fingerprint(child) == before
    assert "Changed" in output_of("bcdedit", child, "/timeout", "7", "--yes", "--although-parent-changed")


def test_a_child_whose_parent_has_another_size_is_not_edited(tmp_path: Path) -> None:
    parent, child = tmp_path / "parent.vhd", tmp_path / "child.vhd"
    run("qemu-img", "create", "-q", "-f", "vpc", "-o", "subformat=dynamic,force_size", parent, "8M")
    create_differencing(parent, child)
    stamp = parent.stat().st_mtime
    disk = open_disk(parent, writable=True)
    disk.resize(16 << 20)
    disk.close()
    os.utime(parent, (stamp, stamp))
    with pytest.raises(RefusedError, match=r"has 16777216 bytes now, and .* over it 8388608"):
        EditSession(child)


def test_every_command_says_what_is_odd_about_an_image_once(saved: Path, tmp_path: Path) -> None:
    components = r"Windows\System32\config\COMPONENTS"  # which is not there
    for words in (
        ["ls", saved, "Windows"],
        ["ls", saved, "Windows", "--format", "json"],
        ["cat", saved, components],
        ["get", saved, components, tmp_path / "COMPONENTS", "--quiet"],
        ["reg", saved, "query", r"HKLM\SYSTEM\Select"],
        ["bcdedit", saved],
        ["backup", saved, tmp_path / "backup"],
        ["cleanup", saved, "--list"],
        ["defrag", saved, "--analyze"],
        ["plan", saved, "--discard-saved-state", "--output", tmp_path / "new.json"],
        ["bcdedit", saved, "/timeout", "7", "--yes", "--discard-saved-state"],
        ["ls", saved, "no such folder"],
    ):
        done = vmrescue(*words)
        assert done.stderr.count(f"note: {saved}: the VHD's footer says that {SAVED}") == 1, (words, done.stderr)
    for words in (["diagnose", saved, "--format", "json"], ["info", saved, "--format", "json"]):
        done = vmrescue(*words)
        assert any(SAVED in warning for warning in json.loads(done.stdout)["warnings"])
        assert done.stderr == ""
    done = vmrescue("bcdedit", saved, "/timeout", "8", "--yes", "--discard-saved-state", "--format", "json")
    assert any(SAVED in warning for warning in json.loads(done.stdout)["warnings"])
    [line] = output_of("scan", saved, "--format", "json", status=1).splitlines()
    assert any(SAVED in warning for warning in json.loads(line)["diagnosis"]["warnings"])


def test_no_layer_loses_a_fact_of_the_disk_below_it(saved: Path) -> None:
    from vmrescue.fleet.examination import MeteredDisk

    disk = open_disk(saved)
    facts = ("format", "size", "sector_size", "unique_id", "parents", "warnings", "risks", "refusal")
    for layer in (Recorder(disk), MeteredDisk(disk), MeteredDisk(Recorder(disk))):
        assert {name: getattr(layer, name) for name in facts} == {name: getattr(disk, name) for name in facts}
        assert next_data(layer, 3 << 20) == next_data(disk, 3 << 20) > 3 << 20
    disk.close()


def test_a_diagnosis_inside_a_transaction_is_that_from_outside(saved: Path) -> None:
    outside = library.diagnose(saved)
    with accepting(["discard-saved-state"]), Transaction(saved, writable=False) as transaction:
        inside = transaction.before
    assert (inside.disk, inside.warnings) == (outside.disk, outside.warnings)
    assert inside.disk.format == "fixed VHD"


def test_a_scan_says_what_is_odd_about_a_container_too(saved: Path) -> None:
    said = vmrescue("scan", saved).stdout.splitlines()
    assert [line for line in said if line.startswith("  note: ") and SAVED in line]
