"""An expansion killed with SIGKILL at random moments: the image is wholly old or wholly new, every time."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import TYPE_CHECKING

import vmrescue as library
from expand.disks import GIB, contained, disk_with_files, expected_files, seen_by_judges
from support.campaign import count
from support.endings import duration_of, start, wait_for_journal
from support.images import fingerprint
from vmrescue.disk import EditSession

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = count("VMRESCUE_KILL_ROUNDS", 3)  # 50 in a campaign by hand
WORDS = ("expand", "--size", "16G", "--partition", "3", "--yes", "--quiet")


def test_an_expansion_killed_at_any_moment_leaves_the_image_old_or_new(tmp_path: Path) -> None:
    """A dynamic VHD: its table moves, its footer moves, and blocks are added, besides GPT and NTFS."""
    disk_with_files(tmp_path / "disk.raw", "GPT", GIB)
    image = contained(tmp_path / "disk.raw", "dynamic VHD")
    old = fingerprint(image)
    duration = duration_of(*WORDS, image)
    assert seen_by_judges(image, "GPT").files == expected_files()
    library.undo(image)
    assert fingerprint(image) == old
    chance = random.Random(20261122)
    outcomes = {"old": 0, "rolled back": 0, "new": 0}
    for number in range(ROUNDS):
        process = start(*WORDS, image)
        if number % 3:
            wait_for_journal(image, deadline=time.monotonic() + 10 * duration)
            time.sleep(chance.uniform(0, 0.03))
        else:
            time.sleep(chance.uniform(0, duration))
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        untouched = fingerprint(image) == old
        EditSession(image).close()  # whoever opens it to write next rolls back what is half done
        if fingerprint(image) == old:
            outcomes["old" if untouched else "rolled back"] += 1
            continue
        outcomes["new"] += 1
        assert seen_by_judges(image, "GPT").size > 15 * GIB
        library.undo(image)
        assert fingerprint(image) == old
    print(f"{ROUNDS} kills of a run of {duration:.2f} s: {outcomes}")
    assert sum(outcomes.values()) == ROUNDS
