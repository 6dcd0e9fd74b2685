"""Folders of one file and of thousands: what goes first never hides, or wakes, what goes next.

A folder of some 25 files has its index in blocks; while files go from it the blocks are merged and freed, so whoever
remembers the index from before an edit looks in the wrong place. The volumes are filled and judged by ntfs-3g.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

import vmrescue as library
from support.command import output_of
from support.images import fingerprint
from support.machine import run
from support.machine_disk import loop_device, mounted_ntfs
from vmrescue.errors import RefusedError
from vmrescue.plan import DeleteFile, FileRef, Plan, Step

if TYPE_CHECKING:
    from pathlib import Path

GEN1_OS = 33 << 20, 606 << 20
FOLDER = "Windows/Temp"
LARGE = "Users/many"


def names(count: int) -> list[str]:
    """Short names, long names, and (every third) a long one that is given a short form too."""
    return [f"{number:x}.log" if number % 3 else f"a longer name, number {number}.log" for number in range(count)]


def fill(image: Path, folder: str, names: list[str]) -> None:
    """Puts these files into a folder, and takes away the one that fills the volume."""
    with mounted_ntfs(image, *GEN1_OS, writable=True) as root:
        (root / FOLDER / "fill.bin").unlink()
        (root / folder).mkdir(parents=True, exist_ok=True)
        for number, name in enumerate(names):
            with (root / folder / name).open("wb") as stream:
                stream.write(b"temp " + str(number).encode())
            if " " in name:
                os.setxattr(root / folder / name, "system.ntfs_dos_name", f"L{number:X}~1.LOG".encode())


def left(image: Path, folder: str = FOLDER) -> set[str]:
    """What ntfs-3g still finds there, on a volume that its tools find sound."""
    with loop_device(image, *GEN1_OS) as device:
        run("ntfsresize", "--info", "--force", device)
        assert "was processed successfully" in run("ntfsfix", "-n", device)
    with mounted_ntfs(image, *GEN1_OS) as root:
        return {path.name for path in (root / folder).iterdir()}


@pytest.mark.parametrize("count", [1, 25, 100, 1000])
def test_a_folder_of_any_number_of_files_is_cleaned_and_comes_back(gen1_broken: Path, count: int) -> None:
    fill(gen1_broken, FOLDER, names(count))
    before = fingerprint(gen1_broken)
    assert left(gen1_broken) == set(names(count))

    output_of("cleanup", gen1_broken, "--yes", "--quiet", status=1)

    assert left(gen1_broken) == set()
    library.undo(gen1_broken)
    assert fingerprint(gen1_broken) == before


def test_out_of_a_folder_of_12000_files_go_those_that_are_to_go(gen1_broken: Path) -> None:
    fill(gen1_broken, LARGE, names(12_000))
    go = names(12_000)[::800]
    sizes = {name: len("temp ") + len(str(number)) for number, name in enumerate(names(12_000))}
    folder = LARGE.replace("/", "\\")
    steps = tuple(
        Step("by hand", "no more needed", DeleteFile(FileRef(0, 2, f"{folder}\\{name}"), sizes[name])) for name in go
    )

    made = library.diagnose(gen1_broken, only=["crash-dump"]).plan()
    assert library.repair(gen1_broken, Plan(made.image, steps)).committed

    assert left(gen1_broken, LARGE) == set(names(12_000)) - set(go)


def test_a_repair_of_the_free_space_takes_a_folder_of_files_away(gen1_broken: Path) -> None:
    fill(gen1_broken, FOLDER, names(40))
    policy = library.Policy(min_free=640 << 20)
    assert library.repair(gen1_broken, policy=policy, only=["free-space"]).committed
    assert left(gen1_broken) == set()


def test_what_else_a_plan_does_on_the_volume_is_done_after_its_folders_were_emptied(gen1_broken: Path) -> None:
    fill(gen1_broken, FOLDER, [*names(40), "fill.bin"])
    values = library.diagnose(gen1_broken, only=["crash-dump"]).plan()
    sizes = {name: len(b"temp ") + len(str(number)) for number, name in enumerate(names(40))}
    steps = [
        Step("by hand", "temporary", DeleteFile(FileRef(0, 2, rf"Windows\Temp\{name}"), size))
        for name, size in sizes.items()
    ]

    receipt = library.repair(gen1_broken, Plan(values.image, (*steps[:30], *values.steps, *steps[30:])))

    assert receipt.committed
    assert left(gen1_broken) == {"fill.bin"}
    assert library.diagnose(gen1_broken, only=["crash-dump"]).healthy


def test_of_files_that_go_together_the_one_that_is_missing_is_named_and_nothing_is_written(gen1_broken: Path) -> None:
    fill(gen1_broken, FOLDER, names(40))
    before = fingerprint(gen1_broken)
    made = library.diagnose(gen1_broken, only=["crash-dump"]).plan()
    sizes = {name: len(b"temp ") + len(str(number)) for number, name in enumerate(names(40))}
    steps = [Step("by hand", "temporary", DeleteFile(FileRef(0, 2, rf"Windows\Temp\{n}"), s)) for n, s in sizes.items()]
    gone = Step("by hand", "temporary", DeleteFile(FileRef(0, 2, r"Windows\Temp\gone.log"), 7))

    with pytest.raises(RefusedError, match=r"gone\.log"):
        library.repair(gen1_broken, Plan(made.image, (*steps, gone)))

    assert fingerprint(gen1_broken) == before
