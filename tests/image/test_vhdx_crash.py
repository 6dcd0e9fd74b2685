"""The power fails while a VHDX is written: old or new at our next opening, and at QEMU's, which knows no journal."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import shutil
from collections import Counter
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest

from image.images import tree
from image.test_crash import commit, settle
from image.test_vhdx_log import Recipe
from support.crash import POLICIES as EVERY_POLICY
from support.crash import Recording, crash, failing, outcomes, recorded
from support.machine import run
from support.vhd import qemu_content
from support.vhdx import MIB, filled, qemu_replays
from vmrescue.disk import EditSession, create_vhdx, create_vhdx_child, open_disk, pending, undo
from vmrescue.errors import RepairFailedError, VmRescueError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vmrescue.disk import VirtualDisk

SIZE = 6 * MIB
APART = 512 * MIB  # of the disk's bytes that a sector of the table describes, in blocks of 1 MiB
MANY = 260
ALL = os.environ.get("VMRESCUE_VHDX_ALL") == "1"
POLICIES = EVERY_POLICY if ALL else ("lose", "torn")


def dynamic(folder: Path) -> Path:
    path = folder / "disk"
    create_vhdx(path, SIZE, MIB)
    fill(path)
    return path


def wide(folder: Path) -> Path:
    create_vhdx(folder / "disk", MANY * APART, MIB)
    return folder / "disk"


def differencing(folder: Path) -> Path:
    create_vhdx(folder / "parent", SIZE, MIB)
    fill(folder / "parent")
    path = folder / "disk"
    create_vhdx_child(folder / "parent", path, MIB)
    with closing(open_disk(path, writable=True)) as disk:
        disk.write_at(5000, b"the child's")
    return path


def with_log(folder: Path) -> Path:
    recipe = Recipe(folder / "disk")
    return recipe.write(recipe.ring(3))


def fill(path: Path) -> None:
    chance = random.Random(3)
    with closing(open_disk(path, writable=True)) as disk:
        for block in (0, 3):
            disk.write_at(block * MIB, chance.randbytes(3000))


def new_blocks(disk: VirtualDisk) -> None:
    """Only where the file has no blocks yet: all of it hangs on the table, which is written through the log."""
    disk.write_at(MIB + 5, b"in a new block")
    disk.write_at(4 * MIB + 9000, b"in another")


def many(disk: VirtualDisk) -> None:
    """A new block for each of so many sectors of the table that the log becomes longer, and has three entries."""
    for number in range(MANY):
        disk.write_at(number * APART, b"\7" * 512)


def behind(disk: VirtualDisk) -> None:
    """Where the log left no block either."""
    disk.write_at(9 * MIB + 5, b"in a new block")


def everywhere(disk: VirtualDisk) -> None:
    disk.write_at(100, b"in place")
    new_blocks(disk)


def longer(disk: VirtualDisk) -> None:
    disk.resize(SIZE + 3 * MIB)


CASES = [(dynamic, everywhere), (differencing, everywhere)]
JUDGED = [(dynamic, new_blocks)]
if ALL:
    CASES += [(dynamic, new_blocks), (dynamic, longer), (with_log, everywhere), (with_log, behind)]
    JUDGED += [(dynamic, everywhere), (dynamic, longer), (with_log, behind)]


def content(path: Path) -> str:
    with closing(open_disk(path)) as disk:
        return hashlib.sha256(disk.read_at(0, disk.size)).hexdigest()


@pytest.mark.parametrize(("make", "edit"), CASES)
def test_a_commit_and_its_undo_that_crash_leave_the_disk_wholly_old_or_wholly_new(
    make: Callable[[Path], Path], edit: Callable[[VirtualDisk], None], quick_folder: Path
) -> None:
    live, crashed = quick_folder / "live", quick_folder / "crashed"
    live.mkdir()
    path = make(live)
    old = content(path)
    allowed = {old: path.read_bytes()}
    with recorded(live) as recording:
        commit(path, edit)
    new = content(path)
    allowed[new] = path.read_bytes()
    assert new != old
    seen = outcomes(recording, crashed, lambda: settle(crashed, allowed), POLICIES)
    last = len(recording.actions)
    assert (seen[0, "lose"], seen[last, "lose"]) == (old, new)
    with recorded(live) as recording:
        undo(path)
    assert path.read_bytes() == allowed[old]
    back = outcomes(recording, crashed, lambda: settle(crashed, allowed), POLICIES)
    last = len(recording.actions)
    assert (back[0, "lose"], back[last, "lose"]) == (new, old)
    print(f"{make.__name__}, {edit.__name__}: {len(seen)} crashes of the commit, {len(back)} of the undo")


@pytest.mark.parametrize(("make", "edit"), CASES[:1] if not ALL else CASES)
def test_a_write_that_fails_once_is_rolled_back_and_keeps_no_undo_from_its_end(
    make: Callable[[Path], Path], edit: Callable[[VirtualDisk], None], quick_folder: Path
) -> None:
    """A rollback whose own log finds no room goes on without it."""
    made, live = quick_folder / "made", quick_folder / "live"
    made.mkdir()
    old = make(made).read_bytes()
    for number in range(1000):
        shutil.copytree(made, live)
        path = live / "disk"
        with failing(number, errno.ENOSPC) as counted, suppress(RepairFailedError):
            commit(path, edit)
        if len(counted) <= number:
            break
        assert path.read_bytes() == old
        assert pending(path) is None
        shutil.rmtree(live)
    commits, new = number, path.read_bytes()
    for number in range(1000):
        with failing(number, errno.ENOSPC) as counted, suppress(VmRescueError):
            undo(path)
        if pending(path):
            EditSession(path).close()
        assert path.read_bytes() in (old, new)
        if len(counted) <= number:
            break
        shutil.rmtree(live)
        shutil.copytree(made, live)
        commit(path, edit)
        new = path.read_bytes()
    assert path.read_bytes() == old
    print(f"{make.__name__}, {edit.__name__}: {commits} calls of the commit failed in turn, {number} of the undo")


def recorded_commit(
    path: Path, before: Path, make: Callable[[Path], Path], edit: Callable[[VirtualDisk], None]
) -> tuple[Recording, bytes, bytes]:
    """A commit to what was made, of which a copy is kept; and the disk before and after it, as QEMU reads it."""
    shutil.copyfile(path, before)
    with recorded(path.parent) as recording:
        commit(path, edit)
    if make is with_log:
        qemu_replays(before)
    return recording, qemu_content(before, "vhdx"), qemu_content(path, "vhdx")


@pytest.mark.parametrize(("make", "edit"), JUDGED)
def test_qemu_finds_the_file_of_a_commit_that_crashed_sound_and_old_or_new(
    make: Callable[[Path], Path], edit: Callable[[VirtualDisk], None], quick_folder: Path
) -> None:
    """Without the journal, which QEMU does not know. It replays the log itself. Bytes that are written in place, into
    blocks that the file has, are protected by the journal alone: each of them is old or new."""
    live, crashed, before = (quick_folder / name for name in ("live", "crashed", "before"))
    live.mkdir()
    path = make(live)
    recording, old, new = recorded_commit(path, before, make, edit)
    judged: dict[bytes, str] = {}

    def judge() -> str:
        left = tree(crashed)["disk"]
        if left not in judged:
            judged[left] = as_qemu_opens_it(crashed / "disk", old, new, edit is everywhere)
        return judged[left]

    outcomes(recording, crashed, judge, POLICIES)
    print(f"{make.__name__}, {edit.__name__}: {len(judged)} files that a crash leaves, {Counter(judged.values())}")
    assert {"old", "new"} <= set(judged.values())
    assert pending(path) is None

    judged.clear()
    with recorded(live) as recording:
        undo(path)
    assert path.read_bytes() == before.read_bytes() or make is with_log
    outcomes(recording, crashed, judge, POLICIES)
    print(f"its undo: {len(judged)} files that a crash leaves, {Counter(judged.values())}")
    assert {"old", "new"} <= set(judged.values())


def test_qemu_finds_a_commit_and_an_undo_of_many_blocks_that_crashed_wholly_old_or_wholly_new(
    quick_folder: Path,
) -> None:
    """The power fails before each sync."""
    live, crashed = quick_folder / "live", quick_folder / "crashed"
    live.mkdir()
    path = wide(live)
    with recorded(live) as done:
        commit(path, many)
    with recorded(live) as undone:
        undo(path)
    for recording in (done, undone):
        seen = [
            as_qemu_finds_it(recording, at, policy, crashed)
            for at, action in enumerate(recording.actions)
            for policy in (("lose", "chance", "keep") if ALL else ("chance",))
            if action.kind == "sync"
        ]
        assert set(seen) == {"old", "new"}
        print(seen)


@pytest.mark.parametrize("make", (dynamic, with_log) if ALL else (dynamic,))
def test_qemu_finds_the_file_of_a_rollback_that_crashed_too_sound_and_old_or_new(
    make: Callable[[Path], Path], quick_folder: Path
) -> None:
    live, first, second, before = (quick_folder / name for name in ("live", "first", "second", "before"))
    live.mkdir()
    recording, old, new = recorded_commit(make(live), before, make, behind if make is with_log else new_blocks)
    judged: dict[bytes, str] = {}
    syncs = [at for at, action in enumerate(recording.actions) if action.kind == "sync"]
    for after in range(len(recording.actions)) if ALL else syncs[3:5]:
        shutil.rmtree(first, ignore_errors=True)
        crash(recording, after, "chance", first)
        if pending(first / "disk") is None:
            continue
        with recorded(first) as again:
            EditSession(first / "disk").close()
        for at, action in enumerate(again.actions):
            if action.kind == "sync":
                shutil.rmtree(second, ignore_errors=True)
                crash(again, at, "chance", second)
                left = tree(second)["disk"]
                if left not in judged:
                    judged[left] = as_qemu_opens_it(second / "disk", old, new, False)
    print(f"{make.__name__}: {len(judged)} files that a crash of a rollback leaves, {Counter(judged.values())}")
    assert "old" in judged.values()


def as_qemu_finds_it(recording: Recording, at: int, policy: str, crashed: Path) -> str:
    if crashed.exists():
        shutil.rmtree(crashed)
    crash(recording, at, policy, crashed)
    return which(crashed / "disk")


def which(path: Path) -> str:
    """Whether the file has none or all of the blocks of `many`, once QEMU has replayed its log."""
    qemu_replays(path)
    run("qemu-img", "check", "-f", "vhdx", path)
    places = [number * APART for number in range(MANY)]
    found = [word for word, byte in (("old", 0), ("new", 7)) if filled(path, places, byte)]
    assert len(found) == 1
    return found[0]


def as_qemu_opens_it(path: Path, old: bytes, new: bytes, in_place: bool) -> str:
    qemu_replays(path)
    assert run("qemu-img", "check", "-f", "vhdx", path).strip() == "No errors were found on the image."
    found = qemu_content(path, "vhdx")
    if in_place:  # the bytes at 100 may be of either
        found, old, new = (each[:100] + each[200:] for each in (found, old, new))
    assert found in (old, new)
    return "old" if found == old else "new"
