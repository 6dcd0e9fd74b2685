"""The power fails while a whole repair is committed, deletion and growth included: wholly old, or wholly new."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import vmrescue
from support.crash import outcomes, recorded
from support.images import fingerprint, sample
from vmrescue.image.recovery import open_for_writing
from vmrescue.plan import FileRef, Plan, PutFile, Step

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAME = "gen2-broken.vhd"
POLICIES = ("keep", "lose", "torn")  # of those of support.crash; all of them were tried by hand


def everything(image: Path) -> None:
    """Registry, boot store, and the page file deleted."""
    receipt = vmrescue.repair(image)
    assert "delete-file" in {change.kind for change in receipt.plan.changes}


def growth(image: Path) -> None:
    """A new file, for which the volume needs clusters, and the disk a block that the VHD had not."""
    name = FileRef(0, 3, r"Windows\Temp\new.bin")
    plan = Plan(
        vmrescue.diagnose(image).plan().image, (Step("test", "growth", PutFile(name, None, b"\x5a" * 300_000)),)
    )
    vmrescue.repair(image, plan=plan)


def settled(image: Path) -> str:
    """What the image's file holds once vmrescue has opened it to write again."""
    device, _ = open_for_writing(image)
    device.close()
    return fingerprint(image)


@pytest.mark.parametrize("act", [everything, growth])
def test_a_repair_that_crashes_anywhere_leaves_the_image_wholly_old_or_wholly_new(
    act: Callable[[Path], None], quick_folder: Path
) -> None:
    live, crashed = quick_folder / "live", quick_folder / "crashed"
    live.mkdir()
    image = sample("gen2-broken", live)
    old = fingerprint(image)
    with recorded(live) as recording:
        act(image)
    new = fingerprint(image)
    assert new != old
    found = outcomes(recording, crashed, lambda: settled(crashed / NAME), POLICIES)
    assert set(found.values()) == {old, new}
    assert found[0, "keep"] == old
    assert found[len(recording.actions), "lose"] == new, "a repair that had been reported was lost"
    print(f"{act.__name__}: {len(found)} crashes in {len(recording.actions)} actions")
