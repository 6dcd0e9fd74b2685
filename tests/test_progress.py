"""How far something has got, as a script hears of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import vmrescue
from vmrescue.progress import Progress, on_progress, work

if TYPE_CHECKING:
    from pathlib import Path


def test_of_works_within_each_other_the_innermost_is_told_and_at_the_end_that_nothing_is_done() -> None:
    told: list[Progress | None] = []
    with on_progress(told.append), work("outer", 2, "disk") as outer:
        outer.advance()
        with work("inner", 10):
            pass
        with on_progress(None), work("unheard"):
            pass
    with work("later"):  # nobody listens any more
        pass
    assert [each and (each.deed, each.done, each.total, each.unit) for each in told] == [
        ("outer", 0, 2, "disk"),
        ("inner", 0, 10, "byte"),
        ("outer", 1, 2, "disk"),
        ("outer", 1, 2, "disk"),
        None,
    ]


def test_what_a_listener_raises_ends_the_work_and_the_next_begins_anew() -> None:
    def refuse(progress: Progress | None) -> None:
        raise ZeroDivisionError(progress and progress.deed)

    with pytest.raises(ZeroDivisionError, match=r"^first$"), on_progress(refuse), work("first"):
        pass
    told: list[Progress | None] = []
    with on_progress(told.append), work("second"):
        pass
    assert [each and each.deed for each in told] == ["second", None]


def test_what_ended_a_work_is_not_hidden_by_what_a_listener_makes_of_that() -> None:
    def refuse_at_the_end(progress: Progress | None) -> None:
        if progress is None:
            raise ZeroDivisionError

    with pytest.raises(vmrescue.ReadError, match="gone"), on_progress(refuse_at_the_end), work("reading"):
        raise vmrescue.ReadError("gone")


def test_a_repair_says_what_it_is_doing(gen2_broken: Path) -> None:
    told: list[Progress | None] = []
    with on_progress(told.append):
        vmrescue.repair(gen2_broken)
    deeds = [each.deed for each in told if each]
    for deed in (
        "reading the disk",
        "looking for what is wrong",
        "making the changes in memory",
        "checking the cells of a hive",
        "checking the volume's file records",
        "reading the changes back",
        "backing up",
        "writing the changes",
    ):
        assert deed in deeds
    assert told[-1] is None
