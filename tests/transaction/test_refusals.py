"""What a repair refuses before it writes: odd plans, edits that end a Windows, containers that cannot be confirmed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import vmrescue as library
from support.command import vmrescue
from support.images import fingerprint
from vmrescue.plan import RegistryData, SetValue

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def first_change(document: dict[str, Any]) -> dict[str, Any]:
    change: dict[str, Any] = document["steps"][0]["change"]
    return change


@pytest.mark.parametrize(
    ("edit", "status"),
    [
        (lambda plan: first_change(plan)["file"].update(disk=-1), 2),
        (lambda plan: first_change(plan)["file"].update(partition=3.0), 2),
        (lambda plan: first_change(plan)["file"].update(partition=True), 2),
        (lambda plan: first_change(plan)["file"].update(partition=99), 4),
        (lambda plan: first_change(plan)["file"].update(path="..\\..\\etc\\passwd"), 2),
        (lambda plan: first_change(plan).update(key="\ud800"), 2),
        (lambda plan: first_change(plan).update(name=3), 2),
        (lambda plan: plan["steps"].append({**plan["steps"][0], "change": {"kind": "format-c"}}), 2),
    ],
)
def test_a_plan_with_odd_content_is_refused(
    gen2_broken: Path, tmp_path: Path, edit: Callable[[dict[str, Any]], object], status: int
) -> None:
    before = fingerprint(gen2_broken)
    document = json.loads(library.diagnose(gen2_broken, only=["crash-dump"]).plan().to_json())
    edit(document)
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps(document))
    done = vmrescue("apply", plan, gen2_broken, "--yes")
    assert done.returncode == status, done.stderr
    assert len(done.stderr) < 1000
    assert fingerprint(gen2_broken) == before


def test_swapped_arguments_of_apply_are_recognised_at_the_first_byte(gen1_broken: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text(library.diagnose(gen1_broken, only=["crash-dump"]).plan().to_json())
    done = vmrescue("apply", gen1_broken, plan, "--yes")
    assert done.returncode == 2
    assert "apply PLAN IMAGE" in done.stderr
    assert len(done.stderr) < 500


def test_an_edit_after_which_there_is_no_windows_is_refused(gen2_broken: Path) -> None:
    before = fingerprint(gen2_broken)
    done = vmrescue("rm", gen2_broken, r"C:\Windows\System32\config\SYSTEM", "--yes")
    assert done.returncode == 4
    assert "nothing was written" in done.stderr
    assert fingerprint(gen2_broken) == before


# either is enough: the rehearsal of a start comes first
SEEN_AFTERWARDS = "page-file could not be checked any more|new finding, boot-path: .* ControlSet009 is not there"


def test_a_repair_after_which_a_check_could_not_be_run_any_more_is_rolled_back(gen1_broken: Path) -> None:
    """What cannot be looked at after an edit is no sign that all is well."""
    before = fingerprint(gen1_broken)
    plan = library.diagnose(gen1_broken, only=["crash-dump"]).plan()
    system = plan.steps[0].change.file
    one, nine = RegistryData.dword(1), RegistryData.dword(9)  # neither of its two control sets
    steps = [
        replace(plan.steps[0], change=SetValue(system, "Select", name, one, nine)) for name in ("Current", "Default")
    ]
    with pytest.raises(library.VmRescueError, match=SEEN_AFTERWARDS) as failed:
        library.repair(gen1_broken, replace(plan, steps=tuple(steps)))
    assert failed.value.exit_status == 5
    assert fingerprint(gen1_broken) == before


def test_an_image_that_libvhdi_cannot_open_is_refused_before_the_first_write(gen2_broken: Path) -> None:
    with gen2_broken.open("r+b") as stream:
        stream.truncate(gen2_broken.stat().st_size - 512)  # the copy of the footer at byte 0 is good
    before = fingerprint(gen2_broken)
    for words in (["--dry-run"], ["--yes"]):
        done = vmrescue("repair", *words, gen2_broken)
        assert done.returncode == 4
        *notes, refusal = done.stderr.splitlines()  # that the footer is missing is said before
        assert all(note.startswith("note: ") for note in notes)
        assert refusal.startswith("vmrescue: ")
        assert "libvhdi, which has to confirm a repair" in refusal
    assert fingerprint(gen2_broken) == before
    assert list(gen2_broken.parent.iterdir()) == [gen2_broken]


def test_memory_without_a_unit_is_not_taken_for_bytes(gen2_broken: Path) -> None:
    done = vmrescue("diagnose", gen2_broken, "--ram", "16")
    assert done.returncode == 2
    assert "16G" in done.stderr
