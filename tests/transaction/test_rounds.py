"""Two faults, one behind the other: what comes to light when the first is mended is mended too, or left, and said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import vmrescue
from support.clock import stop_the_clock
from support.command import output_of
from support.command import vmrescue as command
from support.command_server import import_all
from support.endings import start, status_of
from support.images import fingerprint
from support.machine import run

if TYPE_CHECKING:
    from pathlib import Path

BOTH = {"active-partition", "boot-device"}


@pytest.fixture
def twice_broken(gen1_broken: Path) -> Path:
    """The active partition is another, so that nothing tells that the store names another disk."""
    run("sfdisk", "--no-reread", "--activate", gen1_broken, "2")
    run("sfdisk", "--no-reread", "--disk-id", gen1_broken, "0xdeadbeef")
    assert "boot-device" not in {each.check for each in vmrescue.diagnose(gen1_broken).findings}
    return gen1_broken


def stop_of(image: Path) -> str:
    stop = vmrescue.rehearse(image).stop
    return stop.stage if stop else ""


def test_both_are_one_repair_which_shows_all_changes_and_is_undone(twice_broken: Path) -> None:
    before = fingerprint(twice_broken)
    receipt = vmrescue.repair(twice_broken, only=BOTH)
    assert {step.check for step in receipt.plan.steps} == BOTH
    assert stop_of(twice_broken) == ""
    vmrescue.undo(twice_broken)
    assert fingerprint(twice_broken) == before


def test_a_copy_gets_both_in_one_go_as_they_were_shown(twice_broken: Path, tmp_path: Path) -> None:
    done = command("repair", twice_broken, "--only", ",".join(BOTH), "--copy-to", tmp_path / "copy.vhd", "--yes")
    shown = done.stdout
    assert "make partition 1 the active one" in shown
    assert "osdevice" in shown
    assert stop_of(tmp_path / "copy.vhd") == ""


def test_a_rescue_makes_both_and_lists_them(twice_broken: Path) -> None:
    outcome = vmrescue.rescue(twice_broken, only=["boot"])
    assert {step.check for plan in outcome.plans for step in plan.steps} == BOTH
    assert stop_of(twice_broken) == ""


def test_one_alone_is_made_where_only_that_is_asked_for_and_the_other_is_said(twice_broken: Path) -> None:
    receipt = vmrescue.repair(twice_broken, only=["active-partition"])
    assert receipt.after is not None
    assert "boot-device" in {each.check for each in receipt.after.findings}
    assert stop_of(twice_broken) == "boot-manager"


def test_what_comes_to_light_and_cannot_be_mended_keeps_nothing_from_being_made(
    twice_broken: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").write_bytes(b"")
    output_of("put", twice_broken, tmp_path / "empty", r"C:\Windows\System32\ntoskrnl.exe", "--yes")
    outcome = vmrescue.rescue(twice_broken, only=["boot"])
    assert {step.check for plan in outcome.plans for step in plan.steps} == BOTH
    assert stop_of(twice_broken) == "loader"


def test_a_plan_has_the_changes_of_all_rounds_and_makes_the_same_image(
    twice_broken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin, plan = tmp_path / "twin" / twice_broken.name, tmp_path / "plan.json"
    twin.parent.mkdir()
    run("cp", "--sparse=always", twice_broken, twin)
    import_all()
    stop_the_clock(monkeypatch)
    before = fingerprint(twice_broken)
    assert status_of(start("plan", twice_broken, "--output", plan)) == 0
    assert fingerprint(twice_broken) == before
    planned = vmrescue.Plan.from_json(plan.read_text())
    assert {step.check for step in planned.steps} >= BOTH
    assert status_of(start("apply", plan, twice_broken, "--yes")) in (0, 1)
    assert status_of(start("repair", twin, "--yes")) in (0, 1)
    assert fingerprint(twice_broken) == fingerprint(twin) != before
    assert stop_of(twin) == ""
    vmrescue.undo(twice_broken)
    assert fingerprint(twice_broken) == before


def test_a_plan_is_applied_by_what_counted_as_right_when_it_was_made(gen2_broken: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    assert status_of(start("plan", gen2_broken, "--temp-drive", "E:", "--output", plan)) == 0
    planned = vmrescue.Plan.from_json(plan.read_text())
    assert planned.policy == {"temp_drive": "E:"}
    assert "page-file" in {step.check for step in planned.steps}
    assert status_of(start("apply", plan, gen2_broken, "--yes")) in (0, 1)
    vmrescue.undo(gen2_broken)
    receipt = vmrescue.repair(gen2_broken, planned)
    assert receipt.after is not None
    assert receipt.after.policy.temp_drive == "E:"
    assert not [each for each in receipt.after.findings if each.summary.startswith("the page file is configured on")]
    vmrescue.undo(gen2_broken)
    [result] = vmrescue.repair_images([gen2_broken], plan=planned)
    assert result.status == "repaired"
