"""Any script of edits in any hive: three readers find what the model says, and nothing else has changed.

VMRESCUE_CAMPAIGN multiplies the number of scripts.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from registry.judges import assert_hivexml_agrees, assert_judges_agree, assert_same, content_of
from registry.samples import boot_store, hive_with_everything, windows_7_hive, windows_10_system
from registry.scripts import STEPS, Step, do
from support.campaign import TIMES
from support.real_data import corpus
from vmrescue.registry import Hive, hive_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.judges import Content


def renamed_by_windows_10() -> bytes:
    return corpus("hives/NewDirtyHive1/RecoveredHive_Windows10")


def large_hive() -> tuple[bytes, list[bytes]]:
    return windows_10_system(), []


def system_b() -> tuple[bytes, list[bytes]]:
    return corpus("hives/SYSTEM_B"), [corpus("hives/SYSTEM_B.LOG1"), corpus("hives/SYSTEM_B.LOG2")]


def assert_script_holds(
    data: bytes, logs: list[bytes], steps: list[Step], agree: Callable[[Path, Content], None] = assert_judges_agree
) -> None:
    hive = Hive(data, logs)
    content = content_of(hive)
    for step in steps:
        do(hive, content, step)
    after = hive.to_bytes()
    assert str(hive_state(after)) == "clean"
    assert Hive(after).check() == []
    assert_same("vmrescue", content_of(Hive(after)), content)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hive"
        path.write_bytes(after)
        agree(path, content)
    assert_unchanged_outside(data, after, hive.changed_ranges())


def assert_unchanged_outside(before: bytes, after: bytes, ranges: list[tuple[int, int]]) -> None:
    end = 0
    for start, length in [*ranges, (len(after), 0)]:
        assert start >= end
        assert after[end:start] == before[end:start]
        end = start + length


@pytest.mark.parametrize(
    ("sample", "examples"),
    [
        pytest.param(lambda: hive_with_everything(3).to_bytes(), 15, id="new-1.3"),
        pytest.param(lambda: hive_with_everything(5).to_bytes(), 15, id="new-1.5"),
        pytest.param(boot_store, 25, id="boot-store"),
        pytest.param(renamed_by_windows_10, 25, id="windows-10"),
        pytest.param(windows_7_hive, 5, id="windows-7"),
    ],
)
def test_any_script_leaves_what_it_says(sample: Callable[[], bytes], examples: int) -> None:
    @settings(max_examples=examples * TIMES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(STEPS, min_size=20, max_size=80))
    def holds(steps: list[Step]) -> None:
        assert_script_holds(sample(), [], steps)

    holds()


LARGE = [pytest.param(system_b, id="recovered"), pytest.param(large_hive, id="dissect")]


@pytest.mark.parametrize("sample", LARGE if TIMES > 1 else LARGE[:1])
def test_any_script_leaves_what_it_says_in_a_hive_of_twelve_megabytes(
    sample: Callable[[], tuple[bytes, list[bytes]]],
) -> None:
    @settings(max_examples=TIMES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(STEPS, min_size=40, max_size=80))
    def holds(steps: list[Step]) -> None:
        assume(len({step.deed for step in steps}) > 3)  # not the plainest script, with which Hypothesis begins
        assert_script_holds(*sample(), steps, assert_hivexml_agrees)  # test_editing.py asks all of such a hive

    holds()
