"""Each fault of this folder, from its recipe to the undo of its repair."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.campaign import whole
from support.fault import load, names
from support.fault_play import must_be_as_recorded, play, rescue
from support.machine import need_root

if TYPE_CHECKING:
    from pathlib import Path

IN_TWO_ROUNDS = ["volume-shorter-than-its-partition"]  # its boot sector's copy is written, and then the volume grows
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
