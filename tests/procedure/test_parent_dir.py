"""A differencing disk whose parent lies elsewhere is opened by every function that is told where."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest

import vmrescue
from support.images import fingerprint, sample
from vmrescue.diagnosis import inventory
from vmrescue.transaction import Editing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NO_IMAGE = {"explain", "on_progress", "schema"}
READING: dict[str, Callable[[Path, Any], Any]] = {
    "diagnose": lambda image, where: vmrescue.diagnose(image, **where),
    "rehearse": lambda image, where: vmrescue.rehearse(image, **where),
    "inventory": lambda image, where: inventory(image, **where),
    "scan": lambda image, where: must_be_read(next(iter(vmrescue.scan([image], **where)))),
    "repair_images": lambda image, where: must_be_read(next(vmrescue.repair_images([image], dry_run=True, **where))),
    "rescue_images": lambda image, where: must_be_read(next(vmrescue.rescue_images([image], dry_run=True, **where))),
    "bcdedit": lambda image, where: vmrescue.bcdedit(image, **where),
    "reg": lambda image, where: vmrescue.reg(image, ["query", r"HKLM\SYSTEM\Select"], **where),
    "reg load": lambda image, where: vmrescue.reg(image, ["load", r"HKLM\X", SYSTEM], dry_run=True, **where),
}
SYSTEM = r"C:\Windows\System32\config\SYSTEM"


def must_be_read(result: vmrescue.ScanResult | vmrescue.RepairResult) -> None:
    if result.error:
        raise vmrescue.NotFoundError(result.error.message)


def test_every_function_that_opens_an_image_can_be_told() -> None:
    functions = {name for name in vmrescue.__all__ if inspect.isfunction(getattr(vmrescue, name))} - NO_IMAGE
    assert len(functions) >= 16
    for name in functions:
        parameters = set(inspect.signature(getattr(vmrescue, name)).parameters)
        assert "parent_dir" in parameters | (set(Editing.__annotations__) if "how" in parameters else set()), name


@pytest.fixture(scope="module")
def orphan(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A child, and the folder to which its parent went."""
    near, far = tmp_path_factory.mktemp("near"), tmp_path_factory.mktemp("far")
    parent = sample("gen2-broken", near)
    child = near / "child.vhd"
    vmrescue.repair(parent, only=["bad-memory"], into=child)
    parent.rename(far / parent.name)
    return child, far


@pytest.mark.parametrize("name", READING)
def test_a_parent_that_lies_elsewhere_is_found_where_it_is_said_to_be(orphan: tuple[Path, Path], name: str) -> None:
    child, far = orphan
    with pytest.raises(vmrescue.NotFoundError):
        READING[name](child, {})
    READING[name](child, {"parent_dir": far})


def test_an_edit_and_its_undo_find_it_too(orphan: tuple[Path, Path]) -> None:
    child, far = orphan
    before = fingerprint(child)
    vmrescue.bcdedit(child, ["/timeout", "7"], parent_dir=far)
    assert fingerprint(child) != before
    vmrescue.undo(child, parent_dir=far)
    assert fingerprint(child) == before
