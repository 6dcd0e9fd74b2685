"""A defragmentation killed with SIGKILL at random moments: the volume is sound and every file whole, every time."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from typing import TYPE_CHECKING

from defrag.volumes import fragmented, measured
from ntfs.volumes import MIB, opened
from support.campaign import count
from support.endings import duration_of, start, status_of
from support.ntfs_judges import all_judges, dissect_tree, structure_judges
from vmrescue.disk import EditSession, journal_folder

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = count("VMRESCUE_KILL_ROUNDS", 5)  # 50 in a campaign by hand
FILES = count("VMRESCUE_DEFRAG_FILES", 200)
WORDS = ("defrag", "--free-space", "--yes", "--quiet")


def anew(built: Path, path: Path) -> None:
    shutil.rmtree(journal_folder(path), ignore_errors=True)
    shutil.copy(built, path)


def wait(path: Path, number: int, seconds: float) -> None:
    """Until the moves have begun, in most rounds; in every third until a transaction is being committed too."""
    folder = journal_folder(path)
    lines = len(list(folder.glob("*.final")))
    deadline = time.monotonic() + 10
    while number % 5 and time.monotonic() < deadline and len(list(folder.glob("*.final"))) == lines:
        time.sleep(0.002)
    time.sleep(seconds)
    deadline = time.monotonic() + 0.5
    while number % 3 == 2 and time.monotonic() < deadline and not any(folder.glob("*.hot")):
        time.sleep(0.0005)  # the command needs the processor more


def test_a_defragmentation_killed_at_any_moment_leaves_every_file_whole(quick_folder: Path) -> None:
    built = fragmented(quick_folder / "built.img", FILES * 10_500 + 12 * MIB, files=FILES)
    path = quick_folder / "volume.img"
    tree, before = dissect_tree(built), measured(built)
    anew(built, path)
    duration = duration_of(*WORDS, path)
    assert measured(path).fragments < before.fragments
    chance = random.Random(20261122)
    outcomes = {"untouched": 0, "begun": 0, "finished": 0, "rolled back": 0}
    anew(built, path)
    for number in range(ROUNDS):
        process = start(*WORDS, path)
        wait(path, number, chance.uniform(0, duration * 0.7))
        os.kill(process, signal.SIGKILL)
        finished = status_of(process) == 0
        hot = any(journal_folder(path).glob("*.hot"))
        EditSession(path).close()  # whoever opens it to write next rolls back what is half done
        structure_judges(path)
        assert dissect_tree(path) == tree
        with opened(path) as volume:
            assert volume.check() == []
        found = measured(path)
        same = (found.fragments, found.free_extents) == (before.fragments, before.free_extents)
        outcomes["rolled back" if hot else "finished" if finished else "untouched" if same else "begun"] += 1
        if finished or number % 4 == 3:
            anew(built, path)
    print(f"{ROUNDS} kills of a run of {duration:.1f} s: {outcomes}")
    assert sum(outcomes.values()) == ROUNDS
    assert outcomes["begun"] + outcomes["rolled back"]

    assert status_of(start(*WORDS, path)) == 0
    assert measured(path).fragments <= before.fragments * 0.01
    assert all_judges(path) == tree
