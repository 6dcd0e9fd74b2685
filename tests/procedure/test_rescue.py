"""The whole procedure: one command, one repair, one undo; what is not due is not touched, and what is left is said."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

import vmrescue
from support.command import output_of
from support.command import vmrescue as command
from support.disk_judges import verdicts
from support.images import fingerprint, sha256
from support.machine import need_root, run
from support.machine_disk import loop_device
from vmrescue.checks.rules import CHECKS
from vmrescue.disk import open_disk
from vmrescue.errors import NotFoundError, RefusedError, UsageError
from vmrescue.ntfs import NtfsVolume
from vmrescue.procedure.steps import STEPS, step_of
from vmrescue.transaction import history
from vmrescue.volume.window import Window

if TYPE_CHECKING:
    from pathlib import Path

GIB = 1 << 30
MIB = 1 << 20
GEN1_OS = 33 * MIB, 606 * MIB
DONE = {"memory", "page-file", "space", "serial-console", "dump"}
LEFT = {"volume-state", "memory-limit"}  # of the sample: a dirty mark, and a limit that somebody may want


def states(outcome: vmrescue.Outcome) -> dict[str, str]:
    return {each.step.id: each.state for each in outcome.steps}


def test_a_disk_that_does_not_boot_is_one_repair_away_from_one_to_attach(gen1_broken: Path) -> None:
    need_root()
    before, judged = fingerprint(gen1_broken), verdicts(gen1_broken)
    outcome = vmrescue.rescue(gen1_broken)
    assert outcome.committed
    assert {step for step, state in states(outcome).items() if state == "done"} == DONE
    assert {finding.check for finding in outcome.remaining} == LEFT
    assert {each.check for each in vmrescue.diagnose(gen1_broken).findings} == LEFT
    assert outcome.rehearsal is not None
    assert outcome.rehearsal.stop is None
    assert verdicts(gen1_broken) == judged
    assert [past.state for past in history(gen1_broken)] == ["done"], "one thing to undo"

    again = vmrescue.rescue(gen1_broken)
    assert (again.plans, again.receipts) == ((), ())
    assert "done" not in states(again).values()

    vmrescue.undo(gen1_broken)
    assert fingerprint(gen1_broken) == before


def test_what_is_tried_first_is_what_is_written(gen2_broken: Path, tmp_path: Path) -> None:
    before = fingerprint(gen2_broken)
    tried = vmrescue.rescue(gen2_broken, dry_run=True)
    assert fingerprint(gen2_broken) == before
    assert not tried.committed
    copy = tmp_path / "copy.vhd"
    copied = vmrescue.rescue(gen2_broken, copy_to=copy, sha256=True)
    assert fingerprint(gen2_broken) == before
    assert copied.plans == tried.plans
    assert {each.check for each in vmrescue.diagnose(copy).findings} == {each.check for each in tried.after.findings}
    made = vmrescue.rescue(gen2_broken)
    assert [receipt.plan for receipt in made.receipts] == [receipt.plan for receipt in tried.receipts]
    assert copied.receipts[0].sha256 == sha256(copy)


def test_where_cleaning_is_not_enough_the_disk_grows_as_far_as_it_may(gen1_broken: Path) -> None:
    before = fingerprint(gen1_broken)
    policy = vmrescue.Policy(min_free=800 * MIB)
    kept = vmrescue.rescue(gen1_broken, policy=policy, dry_run=True)
    assert states(kept)["space"] == "partly"
    [space] = [finding for finding in kept.remaining if finding.check == "free-space"]
    [told] = kept.next_of(space)
    assert told == f"vmrescue expand {gen1_broken} --size 32G"

    some = vmrescue.rescue(gen1_broken, policy=policy, size=2 * GIB)
    assert states(some)["space"] == "done"
    with closing(open_disk(gen1_broken)) as disk:
        assert disk.size == 2 * GIB, "as large as was allowed"
    with loop_device(gen1_broken, GEN1_OS[0], 2 * GIB - GEN1_OS[0] - MIB) as device:
        run("ntfsfix", "--no-action", device)
    vmrescue.undo(gen1_broken)
    assert fingerprint(gen1_broken) == before
    too_small = vmrescue.rescue(gen1_broken, policy=policy, size=640 * MIB + 1000, dry_run=True)
    assert states(too_small)["space"] == "partly"

    grown = vmrescue.rescue(gen1_broken, policy=policy, size=64 * GIB)
    assert states(grown)["space"] == "done"
    with closing(open_disk(gen1_broken)) as disk:
        assert disk.size == 32 * GIB, "no larger than is needed"
    with loop_device(gen1_broken, GEN1_OS[0], 32 * GIB - GEN1_OS[0] - MIB) as device:
        run("ntfsfix", "--no-action", device)
    assert [past.state for past in history(gen1_broken)] == ["undone", "done"]
    vmrescue.undo(gen1_broken)
    assert fingerprint(gen1_broken) == before


def test_a_step_that_fails_when_it_is_tried_keeps_no_other_from_being_made(gen1_broken: Path) -> None:
    """A cluster that a file has and $Bitmap calls free: no file may be deleted there; hives and store are edited."""
    need_root()
    mark_as_free(gen1_broken)
    before = fingerprint(gen1_broken)
    outcome = vmrescue.rescue(gen1_broken)
    assert states(outcome) | {"logs": ""} == {
        "logs": "",
        "memory": "done",
        "boot": "not due",
        "page-file": "left",
        "space": "left",
        "serial-console": "done",
        "dump": "done",
    }
    left = {step.step.id: step.because for step in outcome.steps}
    assert any("damaged" in because for because in left["page-file"])
    vmrescue.undo(gen1_broken)
    assert fingerprint(gen1_broken) == before


def mark_as_free(image: Path) -> None:
    """Clears the bit of the first cluster of the largest file in $Bitmap."""
    with closing(open_disk(image)) as disk:
        volume = NtfsVolume(Window(disk, *GEN1_OS))
        (_, lcn, _), *_ = volume.file_extents(r"Windows\Temp\fill.bin")
        at = GEN1_OS[0] + volume.cluster_offset(volume.file_extents("$Bitmap")[0][1]) + lcn // 8
    with image.open("r+b") as stream:
        stream.seek(at)
        byte = stream.read(1)[0]
        assert byte & 1 << lcn % 8
        stream.seek(at)
        stream.write(bytes([byte & ~(1 << lcn % 8)]))


def test_the_command_says_what_is_done_asks_and_ends_with_what_is_left(gen2_broken: Path) -> None:
    before = fingerprint(gen2_broken)
    done = command("rescue", gen2_broken, stdin="n\n")
    assert (done.returncode, fingerprint(gen2_broken)) == (4, before)
    assert "2. memory          give Windows all its memory: 1 change\n" in done.stdout
    assert "Write 9 changes to" in done.stderr

    done = command("rescue", gen2_broken, stdin="y\n")
    assert done.returncode == 1, "warnings are left"
    assert f"Take it back with: vmrescue undo {gen2_broken}" in done.stdout
    assert f"next: vmrescue repair --only memory-limit {gen2_broken}" in done.stdout
    assert done.stdout.endswith("on the disk as it is now:\nNo stop was found.\n")
    document = json.loads(output_of("rescue", gen2_broken, "--format", "json", "--yes", status=1))
    assert [step["state"] for step in document["steps"] if step["step"] == "memory"] == ["not due"]
    assert "there is no step 'space-ship'" in command("rescue", gen2_broken, "--only", "space-ship").stderr


def test_what_cannot_be_written_where_it_is_can_be_rescued_in_a_copy(gen2_broken: Path, tmp_path: Path) -> None:
    """A dynamic VHD without the footer at its end: nobody would confirm what is written to it."""
    with gen2_broken.open("r+b") as stream:
        stream.seek(-512, 2)
        stream.write(bytes(512))
    before = fingerprint(gen2_broken)
    with pytest.raises(RefusedError):
        vmrescue.rescue(gen2_broken)
    copy = tmp_path / "copy.vhd"
    outcome = vmrescue.rescue(gen2_broken, copy_to=copy)
    assert states(outcome)["memory"] == "done"
    assert not {"bad-memory", "crash-dump"} & {each.check for each in vmrescue.diagnose(copy).findings}
    assert fingerprint(gen2_broken) == before


def test_steps_are_chosen_and_left_out(gen2_broken: Path) -> None:
    only = vmrescue.rescue(gen2_broken, only=["memory"], dry_run=True)
    assert {step.check for plan in only.plans for step in plan.steps} == {"bad-memory"}
    without = vmrescue.rescue(gen2_broken, without=["memory", "space"], dry_run=True)
    assert not {"bad-memory", "free-space"} & {step.check for plan in without.plans for step in plan.steps}
    assert states(without)["memory"] == "not wanted"
    with pytest.raises(UsageError, match="no step"):
        vmrescue.rescue(gen2_broken, only=["everything"], dry_run=True)


def test_repairs_are_taken_back_down_to_one_of_them_or_all(gen2_broken: Path, tmp_path: Path) -> None:
    states = [fingerprint(gen2_broken)]
    for name in ("one", "two", "three"):
        (tmp_path / name).write_text(name)
        output_of("put", gen2_broken, tmp_path / name, rf"C:\{name}.txt", "--yes")
        states.append(fingerprint(gen2_broken))
    second = history(gen2_broken)[1]
    assert second.receipt
    assert "no repair 'nine'" in command("undo", gen2_broken, "--to", "nine").stderr
    output_of("undo", gen2_broken, "--to", second.receipt.parent.name)
    assert fingerprint(gen2_broken) == states[1]
    output_of("undo", gen2_broken, "--all")
    assert fingerprint(gen2_broken) == states[0]
    with pytest.raises(NotFoundError, match="no repair to undo"):
        vmrescue.undo(gen2_broken)


def test_every_check_that_a_repair_mends_by_itself_belongs_to_a_step() -> None:
    homeless = [name for name, check in CHECKS.items() if check.applicability == "safe" and not step_of(name)]
    assert not homeless
    named = [check for step in STEPS for check in step.checks]
    assert len(named) == len(set(named))
    assert set(named) <= set(CHECKS)


def test_a_copy_is_defragmented_first_and_the_image_itself_never(gen2_broken: Path, tmp_path: Path) -> None:
    need_root()
    before, judged = fingerprint(gen2_broken), verdicts(gen2_broken)
    with pytest.raises(UsageError, match="is not undone"):
        vmrescue.rescue(gen2_broken, defragment=True)
    assert fingerprint(gen2_broken) == before
    copy = tmp_path / "copy.raw"
    made = vmrescue.rescue(gen2_broken, defragment=True, copy_to=copy, to_format="raw")
    assert fingerprint(gen2_broken) == before
    assert made.defragmented is not None
    assert made.defragmented.after.fragmented < made.defragmented.before.fragmented
    assert {each.check for each in vmrescue.diagnose(copy).findings} == LEFT
    assert verdicts(copy) == judged
