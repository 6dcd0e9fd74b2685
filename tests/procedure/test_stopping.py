"""Everything that takes long can be watched, and stopped: what a listener raises ends it, and the image is whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import vmrescue
from support.images import fingerprint

if TYPE_CHECKING:
    from vmrescue.progress import Progress

DUMP = r"HKLM\SYSTEM\CurrentControlSet\Control\CrashControl"
WORDS = ["add", DUMP, "/v", "NMICrashDump", "/t", "REG_DWORD", "/d", "1"]
Call = Callable[[Path, Path], object]
CALLS: dict[str, tuple[Call, str]] = {  # and the last thing that it says it does, or of a copy the most telling one
    "diagnose": (lambda image, folder: vmrescue.diagnose(image), "looking for what is wrong"),
    "rehearse": (lambda image, folder: vmrescue.rehearse(image), "opening"),
    "repair": (lambda image, folder: vmrescue.repair(image, copy_to=folder / "copy.vhd"), "comparing the copy"),
    "rescue": (lambda image, folder: vmrescue.rescue(image, only=["memory"]), "backing up"),
    "cleanup": (lambda image, folder: vmrescue.cleanup(image), "backing up"),
    "expand": (lambda image, folder: vmrescue.expand(image, 700 << 20), "backing up"),
    "defrag": (lambda image, folder: vmrescue.defrag(image, copy_to=folder / "copy.vhd"), "moving files"),
    "backup": (lambda image, folder: vmrescue.backup(image, folder / "backup"), "backing up"),
    "bcdedit": (lambda image, folder: vmrescue.bcdedit(image, ["/timeout", "7"]), "backing up"),
    "reg": (lambda image, folder: vmrescue.reg(image, WORDS), "backing up"),
}


class Enough(Exception):  # noqa: N818 - a listener may raise anything
    """The user has pressed a button."""


def kind(progress: Progress) -> str:
    """What is done, whatever the file."""
    return progress.deed.partition(" /")[0]


def stopping_at(deed: str) -> Callable[[Progress | None], None]:
    """A listener that ends the work when it comes to this."""

    def listen(progress: Progress | None) -> None:
        if progress is not None and kind(progress) == deed:
            raise Enough(deed)

    return listen


def must_stop_whole(call: Call, image: Path, folder: Path, deed: str) -> None:
    """Stops a call at a deed: the image is as before; or it was changed, which the error says, and is taken back."""
    before = fingerprint(image)
    folder.mkdir(exist_ok=True)
    with vmrescue.on_progress(stopping_at(deed)), pytest.raises(Enough) as stopped:
        call(image, folder)
    assert str(stopped.value) == deed
    if any("changed before, which is confirmed" in note for note in getattr(stopped.value, "__notes__", ())):
        vmrescue.undo(image)
    assert fingerprint(image) == before
    assert not (folder / "copy.vhd").exists()


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_stopped_by_what_a_listener_raises(gen1_broken: Path, tmp_path: Path, name: str) -> None:
    call, deed = CALLS[name]
    must_stop_whole(call, gen1_broken, tmp_path / "folder", deed)


def test_a_repair_is_stopped_at_each_of_its_deeds(gen2_broken: Path, tmp_path: Path) -> None:
    told: list[Progress | None] = []
    with vmrescue.on_progress(told.append):
        vmrescue.repair(gen2_broken, only=["bad-memory"])
    vmrescue.undo(gen2_broken)
    deeds = list(dict.fromkeys(kind(progress) for progress in told if progress))
    assert {"reading the disk", "making the changes in memory", "backing up", "writing the changes"} <= set(deeds)
    for deed in deeds:
        must_stop_whole(lambda image, _: vmrescue.repair(image, only=["bad-memory"]), gen2_broken, tmp_path, deed)


def test_an_undo_is_stopped_before_it_begins_or_done(gen2_broken: Path) -> None:
    vmrescue.repair(gen2_broken, only=["bad-memory"])
    after = fingerprint(gen2_broken)
    with vmrescue.on_progress(stopping_at("taking the repair back")), pytest.raises(Enough):
        vmrescue.undo(gen2_broken)
    assert fingerprint(gen2_broken) == after
    vmrescue.undo(gen2_broken)


def test_a_scan_is_stopped_by_leaving_its_loop_and_its_images_are_not_reported(gen2_healthy: Path) -> None:
    told: list[object] = []
    with vmrescue.on_progress(told.append):
        for result in vmrescue.scan([gen2_healthy, gen2_healthy]):
            assert result.healthy
            break
    assert told == []
