"""Each fault of this folder, from its recipe to the undo of its repair."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.fault import load, names
from support.machine import need_root

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", names())
def test_is_found_mended_and_undone(name: str, quick_folder: Path) -> None:
    need_root()
    load(name).play(quick_folder)


def test_each_names_where_it_comes_from() -> None:
    without = [name for name in names() if not load(name).recipe["source"].startswith("https://")]
    assert not without
