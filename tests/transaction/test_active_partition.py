"""The active flag of an MBR: sfdisk sees it where the plan put it, and nothing else is changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import vmrescue
from support.images import fingerprint
from support.machine import run
from vmrescue.errors import RefusedError
from vmrescue.plan import FileRef, ImageIdentity, Plan, SetActive, Step

if TYPE_CHECKING:
    from pathlib import Path

DISK = FileRef(0, 0, "")


def table(image: Path) -> dict[str, Any]:
    listed: dict[str, Any] = json.loads(run("sfdisk", "--json", image))["partitiontable"]
    return listed


def plan(image: Path, before: str, after: int) -> Plan:
    disk = vmrescue.diagnose(image, only=["volume-state"]).disk
    step = Step("by-hand", "the BIOS does not find the boot manager", SetActive(DISK, before, after))
    return Plan(ImageIdentity(disk.size, disk.id), (step,))


@pytest.mark.parametrize(("active", "before"), [(["2"], "2"), ([], "none")])
def test_one_partition_is_made_active_and_the_undo_is_exact(active: list[str], before: str, gen1_broken: Path) -> None:
    wanted = table(gen1_broken)
    run("sfdisk", "--no-reread", "--activate", gen1_broken, *(active or ["-"]))
    first = fingerprint(gen1_broken)
    document = plan(gen1_broken, before, 1).to_json()
    receipt = vmrescue.repair(gen1_broken, plan=Plan.from_json(document))
    assert receipt.committed
    assert table(gen1_broken) == wanted
    vmrescue.undo(gen1_broken)
    assert fingerprint(gen1_broken) == first


@pytest.mark.parametrize(
    ("before", "after", "why"), [("2", 1, "no longer fits"), ("1", 3, "no such"), ("1", 5, "no such")]
)
def test_what_is_not_as_planned_or_not_there_is_refused(before: str, after: int, why: str, gen1_broken: Path) -> None:
    first = fingerprint(gen1_broken)
    with pytest.raises(RefusedError, match=why):
        vmrescue.repair(gen1_broken, plan=plan(gen1_broken, before, after))
    assert fingerprint(gen1_broken) == first


def test_a_disk_with_a_gpt_has_no_active_partition(gen2_broken: Path) -> None:
    with pytest.raises(RefusedError, match="no MBR"):
        vmrescue.repair(gen2_broken, plan=plan(gen2_broken, "none", 1))
