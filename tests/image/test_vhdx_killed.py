"""SIGKILL while a VHDX is written: old or new at our next opening, and sound for QEMU, which knows no journal."""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import closing
from typing import TYPE_CHECKING

import vmrescue
from image.test_crash import commit
from support.campaign import count
from support.endings import duration_of, start, wait_for_journal
from support.images import fingerprint, sample
from support.machine import run
from support.vhdx import MIB, qemu_replays, whose_disk
from vmrescue.disk import EditSession, create_vhdx, journals, open_disk, pending, undo

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vmrescue.disk import VirtualDisk

KILLS = count("VMRESCUE_KILLS", 2)
PIECE, SECTOR = 1 << 16, 512  # bytes
APART = 512 * MIB  # of the disk's bytes that a sector of the table describes, in blocks of 1 MiB


def test_a_repair_killed_at_any_moment_is_old_or_new_and_qemu_finds_each_sector_old_or_new(quick_folder: Path) -> None:
    """The blocks are in the file, so that what a repair writes is written in place."""
    image, copy = quick_folder / "os.vhdx", quick_folder / "copy.vhdx"
    run("qemu-img", "convert", "-f", "vpc", "-O", "vhdx", sample("gen1-broken", quick_folder), image)
    plan = quick_folder / "plan.json"
    plan.write_text(vmrescue.diagnose(image).plan(only=["bad-memory", "crash-dump"]).to_json())
    words = ("apply", "--yes", "--quiet", plan, image)
    old, before = fingerprint(image), as_raw(image, quick_folder / "old.raw")
    duration, chance = duration_of(*words, ok=(0, 1)), random.Random(23)
    undo(image)
    assert fingerprint(image) == old
    outcomes = {"old": 0, "rolled back": 0, "new": 0}
    for number in range(KILLS):
        process = start(*words)
        if number % 2:
            wait_for_journal(image, time.monotonic() + 10 * duration)
            time.sleep(chance.uniform(0, 0.05))
        else:
            time.sleep(chance.uniform(0, duration))
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        run("cp", "--sparse=always", image, copy)
        untouched = fingerprint(image) == old
        EditSession(image).close()  # whoever opens it to write next rolls back what is half done
        assert pending(image) is None
        done = bool(journals(image)) and journals(image)[-1].state == "done"
        outcomes["new" if done else "old" if untouched else "rolled back"] += 1
        after = as_raw(image, quick_folder / "new.raw")
        qemu_replays(copy)
        run("qemu-img", "check", "-f", "vhdx", copy)
        if done:
            must_be_sectors_of(as_raw(copy, quick_folder / "found.raw"), after, after)
            undo(image)
        else:
            repair(image, plan)
            must_be_sectors_of(
                as_raw(copy, quick_folder / "found.raw"), before, as_raw(image, quick_folder / "new.raw")
            )
            undo(image)
        assert fingerprint(image) == old
    print(f"{KILLS} kills of a run of {duration:.2f} s: {outcomes}")


def repair(image: Path, plan: Path) -> None:
    os.waitpid(start("apply", "--yes", "--quiet", plan, image), 0)


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
    """The blocks are new, so that all hangs on the table: on 300 of its sectors, in three entries of a longer log."""
    image, copy = quick_folder / "os.vhdx", quick_folder / "copy.vhdx"
    create_vhdx(image, 300 * APART, MIB)
    old, chance = fingerprint(image), random.Random(24)
    before, after = quick_folder / "before.vhdx", quick_folder / "after.vhdx"
    run("cp", "--sparse=always", image, before)
    commit(image, many)
    run("cp", "--sparse=always", image, after)
    undo(image)
    assert fingerprint(image) == old
    twins = {"old": before, "new": after}
    seen: list[str] = []
    for number in range(2 * KILLS):
        is_undo = bool(number % 2)
        if is_undo:
            commit(image, many)
        process = fork(undo if is_undo else commit_it, image)
        time.sleep(chance.uniform(0, 0.2))
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        run("cp", "--sparse=always", image, copy)
        qemu_replays(copy)
        run("qemu-img", "check", "-f", "vhdx", copy)
        seen.append(whose_disk(copy, twins))
        with closing(open_disk(image)) as disk:
            found = {disk.read_at(block * APART + 5, 3) for block in range(300)}
        assert found in ({b"new"}, {bytes(3)})
        EditSession(image).close()
        assert (whose_disk(image, twins) == "new") == (found == {b"new"})
        if found == {b"new"}:
            undo(image)
        assert fingerprint(image) == old
    print(seen)


def many(disk: VirtualDisk) -> None:
    for block in range(300):
        disk.write_at(block * APART + 5, b"new")


def commit_it(image: Path) -> None:
    commit(image, many)


def fork(deed: Callable[[Path], object], image: Path) -> int:
    child = os.fork()
    if not child:
        try:
            deed(image)
        finally:
            os._exit(0)
    return child
