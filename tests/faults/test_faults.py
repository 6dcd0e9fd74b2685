"""Each fault of this folder, from its recipe to the undo of its repair."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.campaign import whole
from support.fault import FAULTS, load, names
from support.fault_page import page
from support.machine import need_root

if TYPE_CHECKING:
    from pathlib import Path

IN_TWO_ROUNDS = ["volume-shorter-than-its-partition"]  # its boot sector's copy is written, and then the volume grows
RESCUE_ALL = whole("VMRESCUE_RESCUE_ALL")  # by hand: every fault, not each twelfth


@pytest.mark.parametrize("name", names())
def test_is_found_mended_and_undone(name: str, quick_folder: Path) -> None:
    need_root()
    load(name).play(quick_folder)


@pytest.mark.parametrize("name", names() if RESCUE_ALL else [*names()[::12], *IN_TWO_ROUNDS])
def test_is_rescued_in_one_go(name: str, quick_folder: Path) -> None:
    need_root()
    load(name).rescue(quick_folder)


def test_the_page_is_made_of_the_recipes() -> None:
    assert (FAULTS.parents[1] / "docs/faults.md").read_text(encoding="utf-8") == page()


def test_each_names_where_it_comes_from() -> None:
    without = [name for name in names() if not load(name).recipe["source"].startswith("https://")]
    assert not without
