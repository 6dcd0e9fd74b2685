"""A slip in the arguments of a function ends in an error, and never in an edit that was not meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import vmrescue
from hostile.disks import small_image
from vmrescue.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", ["cleanup", "expand", "repair", "defrag", "rescue", "bcdedit", "reg"])
def test_a_keyword_that_is_none_ends_nothing_in_an_edit(name: str, tmp_path: Path) -> None:
    """`dryrun=True` must not write."""
    image = small_image(tmp_path)
    before = image.read_bytes()
    words: dict[str, tuple[Any, ...]] = {
        "expand": (1 << 30,),
        "bcdedit": (["/timeout", "5"],),
        "reg": (["add", r"HKLM\SYSTEM\Select", "/f"],),
    }
    with pytest.raises(TypeError, match="dryrun"):
        getattr(vmrescue, name)(image, *words.get(name, ()), dryrun=True)
    assert image.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == [image.name]


@pytest.mark.parametrize("name", ["diagnose", "repair", "scan", "repair_images", "rescue", "rescue_images"])
def test_an_empty_choice_is_not_taken_for_all(name: str, tmp_path: Path) -> None:
    image = small_image(tmp_path)
    before = image.read_bytes()
    many = name in ("scan", "repair_images", "rescue_images")
    with pytest.raises(UsageError, match="an empty list names nothing"):
        list(getattr(vmrescue, name)([image] if many else image, only=[]) or [])
    assert image.read_bytes() == before


def test_what_is_chosen_beside_a_plan_is_not_passed_over(tmp_path: Path) -> None:
    image = small_image(tmp_path)
    plan = vmrescue.diagnose(image).plan()
    choices: tuple[dict[str, Any], ...] = ({"only": ["bad-memory"]}, {"skip": ["bad-memory"]})
    for chosen in choices:
        with pytest.raises(UsageError, match="made as it is"):
            vmrescue.repair(image, plan, **chosen)
        with pytest.raises(UsageError, match="made as it is"):
            vmrescue.repair_images([image], plan=plan, **chosen)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        ("1", "a number or None is expected, not '1'"),
        *((seconds, "a number of seconds above 0") for seconds in (0, -1, float("nan"))),
    ],
)
def test_a_time_out_that_is_none_is_said_before_anything_is_examined(seconds: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said):
        list(vmrescue.scan([small_image(tmp_path)], timeout=seconds))
