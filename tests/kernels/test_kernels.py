"""Kernels of Linux look at volumes that vmrescue edited, and edit them in turn: two drivers of NTFS, and that of FAT.

A guest takes about seven seconds of processor time to start, so that each test has all its volumes in one.
VMRESCUE_CAMPAIGN is the number of rounds, each with other scripts of edits.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from fat.volumes import assert_fsck_content
from kernels.edits import differences, edits
from kernels.volumes import fat_volumes, ntfs_volumes
from kernels.wrong import wrong_volumes
from ntfs.volumes import opened
from support.kernel_judge import Job, seen_by_kernel
from support.machine import need_root, need_tool
from support.memory_device import MemoryDevice
from support.ntfs_judges import dissect_tree, structure_judges
from vmrescue.fat import FatVolume

if TYPE_CHECKING:
    from pathlib import Path

    from kernels.volumes import Made
    from support.kernel_judge import Seen
    from support.ntfs_judges import Tree

ROUNDS = int(os.environ.get("VMRESCUE_CAMPAIGN", "1"))
DRIVERS = ("ntfs3", "ntfs")
ODD = "Different NTFS sector size (4096) and media sector size (512)."  # ntfs3 on a volume for another disk: no fault


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("seed", range(26, 26 + ROUNDS))
def test_a_kernel_sees_every_file_of_an_edited_volume_edits_it_in_turn_and_finds_wrong_edits(
    driver: str, seed: int, tmp_path: Path
) -> None:
    need_root()
    need_tool(driver)
    made = [*ntfs_volumes(tmp_path, seed), *fat_volumes(tmp_path, seed)]
    wrong = list(wrong_volumes(tmp_path))
    copies = [shutil.copyfile(each.path, tmp_path / f"{each.what}, edited") for each in made]
    plans = [edits(each.tree) for each in made]
    jobs = [(job_of(each, driver), each.tree) for each in [*wrong, *made]]
    jobs += [
        (job_of(each, driver, copy, plan[0]), plan[1]) for each, copy, plan in zip(made, copies, plans, strict=True)
    ]

    seen = seen_by_kernel(driver, [job for job, _ in jobs])

    found = [faults(job, each, tree) for (job, tree), each in zip(jobs, seen, strict=True)]
    assert "/7 x" in found[0], wrong[0].what
    assert all(found[: len(wrong)]), [each.what for each in wrong]
    assert not any(found[len(wrong) :]), "\n".join(filter(None, found[len(wrong) :]))
    for each, copy, (_, after) in zip(made, copies, plans, strict=True):
        (sound_ntfs if each.system == "ntfs" else sound_fat)(copy, after, tmp_path)


def job_of(made: Made, driver: str, path: Path | None = None, script: str | None = None) -> Job:
    return Job(driver if made.system == "ntfs" else made.system, path or made.path, edits=script)


def faults(job: Job, seen: Seen, expected: Tree) -> str:
    """Empty, or what a kernel finds wrong."""
    complaints = [line for line in seen.complaints if not line.endswith(ODD)]
    differing = differences(seen.tree, expected)
    return f"{job.image.name}: {complaints}, {differing}" if complaints or differing else ""


def sound_ntfs(path: Path, expected: Tree, folder: Path) -> None:
    with opened(path) as volume:
        assert volume.check() == [], path.name
        assert volume.state.name == "clean", path.name
    structure_judges(path)
    assert differences(dissect_tree(path), expected) == {}


def sound_fat(path: Path, expected: Tree, folder: Path) -> None:
    content = path.read_bytes()
    assert_fsck_content(content, folder)
    volume = FatVolume(MemoryDevice(content))
    assert volume.check() == []
