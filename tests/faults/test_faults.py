"""Each fault of this folder, from its recipe to the undo of its repair."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import support.fault
from support.campaign import whole
from support.fault import FAULTS, RECIPE, load, names
from support.fault_play import Played, must_be_as_recorded, play, rescue
from support.machine import need_root

if TYPE_CHECKING:
    from pathlib import Path

IN_TWO_ROUNDS = ["volume-shorter-than-its-partition"]  # its boot sector's copy is written, and then the volume grows
SAMPLE = "storvsc-lost"
RESCUE_ALL = whole("VMRESCUE_RESCUE_ALL")  # by hand: every fault, not each twelfth


@pytest.mark.parametrize("name", names())
def test_is_found_mended_and_undone(name: str, quick_folder: Path) -> None:
    need_root()
    fault = load(name)

    played = play(fault, quick_folder)

    must_be_as_recorded(fault, played)


@pytest.mark.parametrize("name", names() if RESCUE_ALL else [*names()[::12], *IN_TWO_ROUNDS])
def test_is_rescued_in_one_go(name: str, quick_folder: Path) -> None:
    need_root()
    rescue(load(name), quick_folder)


def test_a_play_that_is_not_as_recorded_is_told_with_what_differs() -> None:
    fault = load(SAMPLE)
    diagnosis = replace(fault.record.diagnosis, later="0xc0000017")
    played = Played(replace(fault.record, diagnosis=diagnosis), fault.transcript.replace("0x7B", "0x7C"))

    with pytest.raises(AssertionError) as error:
        must_be_as_recorded(fault, played)

    said = f"{error.value}"
    assert f"python -m tests.faults --update {SAMPLE}" in said
    assert '+    "later": "0xc0000017"' in said
    assert "-The start ends in the stage storage with 0x7B." in said


def test_what_contradicts_its_recipe_is_not_recorded(
    quick_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was recorded before: the recording says the same as the play, and the recipe another code."""
    need_root()
    shutil.copytree(FAULTS / SAMPLE, tmp_path / SAMPLE)
    recipe = tmp_path / SAMPLE / RECIPE
    recipe.write_text(recipe.read_text().replace("storage 0x7B", "storage 0x7C"))
    monkeypatch.setattr(support.fault, "FAULTS", tmp_path)

    with pytest.raises(AssertionError, match="stop: storage 0x7B; the recipe expects storage 0x7C"):
        play(load(SAMPLE), quick_folder)
