"""The command killed with SIGKILL at random moments: the image is wholly old or wholly new, every time."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import time
from typing import TYPE_CHECKING

import vmrescue
from support.endings import start, status_of, wait_for_journal
from support.images import sha256
from vmrescue.image.recovery import open_for_reading

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = int(os.environ.get("VMRESCUE_KILL_ROUNDS", "60"))  # 200 in a campaign by hand
WORDS = ("repair", "--yes", "--quiet", "--only", "bad-memory", "--only", "serial-console", "--only", "crash-dump")
CHUNK = 1 << 20


def seen_hash(image: Path) -> str:
    """The SHA-256 of the image's file as a reader sees it: with an interrupted repair rolled back."""
    store, _ = open_for_reading(image)
    digest = hashlib.sha256()
    for offset in range(0, store.size, CHUNK):
        digest.update(store.read_at(offset, min(CHUNK, store.size - offset)))
    store.close()
    return digest.hexdigest()


def test_a_repair_killed_at_any_moment_leaves_the_image_old_or_new(gen2_broken: Path) -> None:
    old = sha256(gen2_broken)
    begun = time.perf_counter()
    assert status_of(start(*WORDS, gen2_broken)) == 0
    duration = time.perf_counter() - begun
    repaired = sha256(gen2_broken)
    assert repaired != old
    vmrescue.undo(gen2_broken)
    chance = random.Random(20261122)
    outcomes = {"old": 0, "new": 0, "rolled back": 0}
    for number in range(ROUNDS):
        process = start(*WORDS, gen2_broken)
        if number % 2:
            wait_for_journal(gen2_broken, deadline=time.monotonic() + 10 * duration)
            time.sleep(chance.uniform(0, 0.004))  # the commit itself takes a few milliseconds
        else:
            time.sleep(chance.uniform(0, duration * 1.1))
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        on_disk, seen = sha256(gen2_broken), seen_hash(gen2_broken)
        if seen == old:
            outcomes["old" if on_disk == old else "rolled back"] += 1
        else:
            assert {finding.check for finding in vmrescue.diagnose(gen2_broken).findings} & {"bad-memory"} == set()
            outcomes["new"] += 1
            vmrescue.undo(gen2_broken)
            assert sha256(gen2_broken) == old
    print(f"{ROUNDS} kills: {outcomes}")
    assert sum(outcomes.values()) == ROUNDS
    assert outcomes["old"]
    assert outcomes["new"]
