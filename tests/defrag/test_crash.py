"""The power fails at any step of a defragmentation: the volume is sound, and every file whole, at old places or new."""

from __future__ import annotations

import shutil
from itertools import product
from typing import TYPE_CHECKING

from ntfs.volumes import MIB, comb, format_volume, opened, tree_of
from support.campaign import whole
from support.crash import POLICIES, recorded
from support.crash import crashed as state_after
from support.ntfs_judges import dissect_tree, structure_judges
from vmrescue.disk import EditSession
from vmrescue.transaction import defragmenting
from vmrescue.transaction.defragmenting import Defragmentation

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

EVERY_CRASH = whole("VMRESCUE_EVERY_CRASH")  # each step with each policy; else every fourth with one in turn


def prepare(path: Path) -> None:
    """Files in pieces, whole ones between them, and free space in pieces."""
    format_volume(path, 4 * MIB, 4096)
    with opened(path, writable=True) as volume:
        for number in range(6):
            volume.create_file(f"whole {number}", bytes([number]) * 12_000)
        for number in range(0, 6, 2):
            volume.delete(f"whole {number}")
        comb(volume)
        volume.create_file("one", b"1" * 4096 * 9)
        volume.create_file("two", b"2" * 4096 * 70)
        for number in range(90):  # so that the file table grows, in pieces
            volume.create_file(f"{number}", b"")
        volume.delete("comb")


def test_power_may_fail_at_any_step(quick_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With steps of 32 KB and three moves at most, so that there are many transactions, and files moved by parts."""
    monkeypatch.setattr(defragmenting, "STEP", 32 << 10)
    monkeypatch.setattr(defragmenting, "MOST_MOVES", 3)
    live, crashed = quick_folder / "live", quick_folder / "crashed"
    live.mkdir()
    path = live / "volume.img"
    prepare(path)
    tree = dissect_tree(path)
    with recorded(live) as recording, Defragmentation(path) as defragmentation:
        done = defragmentation.run(free_space=True)
    assert done.before.fragments > 80
    assert [each.path for each in done.left] == ["\\$MFT"]
    assert done.after.fragments == 1
    assert done.commits > 4
    steps = range(len(recording.actions) + 1)
    tried = product(steps, POLICIES) if EVERY_CRASH else ((at, POLICIES[at % len(POLICIES)]) for at in steps[::4])
    places, seen = set(), set()
    for after, policy in tried:
        state = state_after(recording, after, policy)
        if state.print_of() in seen:
            continue
        seen.add(state.print_of())
        shutil.rmtree(crashed, ignore_errors=True)
        state.write_to(crashed)
        left = crashed / "volume.img"
        EditSession(left).close()  # rolls back what is half done
        with opened(left) as volume:
            assert volume.check() == []
            assert tree_of(volume) == tree
            places.add(tuple(volume.file_extents("two")))
        if len(seen) % 40 == 0:
            structure_judges(left)
    print(f"{len(seen)} crashes in {len(recording.actions)} actions; the largest file lay in {len(places)} ways")
    assert len(places) > 4
