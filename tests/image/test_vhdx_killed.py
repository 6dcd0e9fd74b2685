"""SIGKILL while a VHDX is written: old or new at our next opening, and sound for QEMU, which knows no journal."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING

import vmrescue
from image.test_crash import commit
from image.test_vhdx_crash import APART, MANY, many, which, wide
from support.campaign import count
from support.clock import stop_the_clock
from support.command_server import import_all
from support.endings import duration_of, start, wait_for_journal
from support.images import fingerprint, sample
from support.machine import run
from support.vhdx import qemu_replays
from vmrescue.disk import EditSession, open_disk, pending, undo

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest


KILLS = count("VMRESCUE_KILLS", 1)
PIECE, SECTOR = 1 << 16, 512  # bytes


def test_a_repair_killed_at_any_moment_is_old_or_new_and_qemu_finds_each_sector_old_or_new(
    quick_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The blocks are in the file, so that what a repair writes is written in place."""
    image, copy, raw = (quick_folder / name for name in ("os.vhdx", "copy.vhdx", "found.raw"))
    run("qemu-img", "convert", "-f", "vpc", "-O", "vhdx", sample("gen1-broken", quick_folder), image)
    plan = quick_folder / "plan.json"
    plan.write_text(vmrescue.diagnose(image).plan(only=["bad-memory", "crash-dump"]).to_json())
    words = ("apply", "--yes", "--quiet", plan, image)
    old, before = fingerprint(image), as_raw(image, quick_folder / "old.raw")
    import_all()
    stop_the_clock(monkeypatch)  # what is written is the same each time
    duration, chance = duration_of(*words, ok=(0, 1)), random.Random(23)
    after = as_raw(image, quick_folder / "new.raw")
    undo(image)
    assert fingerprint(image) == old
    outcomes = {"old": 0, "rolled back": 0, "new": 0}
    for number in range(KILLS):
        process = start(*words)
        if number % 2:
            time.sleep(chance.uniform(0, duration))
        else:
            wait_for_journal(image, time.monotonic() + 10 * duration)
            time.sleep(chance.uniform(0, 0.05))
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        run("cp", "--sparse=always", image, copy)
        qemu_replays(copy)
        run("qemu-img", "check", "-f", "vhdx", copy)
        must_be_sectors_of(as_raw(copy, raw), before, after)
        untouched = fingerprint(image) == old
        EditSession(image).close()  # whoever opens it to write next rolls back what is half done
        assert pending(image) is None
        if fingerprint(image) == old:
            outcomes["old" if untouched else "rolled back"] += 1
            continue
        outcomes["new"] += 1
        run("qemu-img", "compare", "-f", "vhdx", "-F", "raw", image, after)
        undo(image)
        assert fingerprint(image) == old
    print(f"{KILLS} kills of a run of {duration:.2f} s: {outcomes}")


def as_raw(image: Path, raw: Path) -> Path:
    run("qemu-img", "convert", "-f", "vhdx", "-O", "raw", image, raw)
    return raw


def must_be_sectors_of(found: Path, old: Path, new: Path) -> None:
    with found.open("rb") as one, old.open("rb") as two, new.open("rb") as three:
        while piece := one.read(PIECE):
            before, after = two.read(PIECE), three.read(PIECE)
            if piece in (before, after):
                continue
            for at in range(0, len(piece), SECTOR):
                part = slice(at, at + SECTOR)
                assert piece[part] in (before[part], after[part])


def test_a_commit_and_an_undo_of_many_new_blocks_killed_at_any_moment_are_old_or_new_for_qemu(
    quick_folder: Path,
) -> None:
    """The blocks are new, so that all hangs on the table: on 260 of its sectors, in three entries of a longer log."""
    image, copy = wide(quick_folder), quick_folder / "copy.vhdx"
    old, chance = fingerprint(image), random.Random(24)
    durations = [seconds(deed, image) for deed in (commit_it, undo)]
    assert fingerprint(image) == old
    seen: list[str] = []
    for number in range(2 * KILLS):
        is_undo = bool(number % 2)
        if is_undo:
            commit(image, many)
        process = fork(undo if is_undo else commit_it, image)
        wait_for_journal(image, time.monotonic() + 60)
        time.sleep(chance.uniform(0, durations[is_undo] / (1 if is_undo else 4)))  # most of a commit comes before
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        run("cp", "--sparse=always", image, copy)
        seen.append(f"{which(copy)}, {'to be rolled back' if pending(image) else 'at rest'}")
        with closing(open_disk(image)) as disk:
            shown = {disk.read_at(block * APART, 512) for block in range(MANY)}
        EditSession(image).close()
        if fingerprint(image) == old:
            assert shown == {bytes(512)}
            continue
        assert shown == {b"\7" * 512}
        undo(image)
        assert fingerprint(image) == old
    print(f"commits: {Counter(seen[::2])}, undos: {Counter(seen[1::2])}")


def commit_it(image: Path) -> None:
    commit(image, many)


def seconds(deed: Callable[[Path], object], image: Path) -> float:
    begun = time.perf_counter()
    deed(image)
    return time.perf_counter() - begun


def fork(deed: Callable[[Path], object], image: Path) -> int:
    child = os.fork()
    if not child:
        try:
            deed(image)
        finally:
            os._exit(0)
    return child
