"""A commit, an undo and a rollback that crash at any step leave the disk wholly old or wholly new."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from image.images import CONTAINERS, change, content, grow, make_image, tree
from support.crash import POLICIES, crash, outcomes, recorded
from vmrescue.disk import EditSession, pending, undo

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vmrescue.disk import VirtualDisk


WHOLE = [policy for policy in POLICIES if policy != "torn"]


def commit(path: Path, edit: Callable[[VirtualDisk], None]) -> None:
    with EditSession(path) as session:
        edit(session.disk)
        session.commit()


def settle(folder: Path, allowed: dict[str, bytes]) -> str:
    """Opens what a crash left, for reading and then for writing; returns the disk's content.

    `allowed` are the contents that it may have, and the bytes of the image with each.
    """
    path = folder / "disk"
    left = tree(folder)
    found = content(path)
    assert found in allowed
    assert tree(folder) == left, "reading wrote something"
    if any(name.endswith((".hot", ".tmp")) for name in left):
        EditSession(path).close()
        assert content(path) == found
    assert path.read_bytes() == allowed[found]
    assert pending(path) is None
    return found


CASES = [(container, change) for container in CONTAINERS]
CASES += [(container, grow) for container in CONTAINERS if container != "differencing"]  # which keeps its parent's size


@pytest.mark.parametrize(("container", "edit"), CASES)
def test_a_commit_that_crashes_leaves_the_disk_wholly_old_or_wholly_new(
    quick_folder: Path, container: str, edit: Callable[[VirtualDisk], None]
) -> None:
    live = quick_folder / "live"
    live.mkdir()
    path = make_image(live, container)
    old = content(path)
    allowed = {old: path.read_bytes()}

    with recorded(live) as recording:
        commit(path, edit)

    new = content(path)
    allowed[new] = path.read_bytes()
    assert new != old
    crashed = quick_folder / "crashed"
    found = outcomes(recording, crashed, lambda: settle(crashed, allowed))
    last = len(recording.actions)
    assert {found[last, policy] for policy in WHOLE} == {new}, "a commit that had returned was lost"
    assert {found[0, policy] for policy in WHOLE} == {old}
    print(f"{container}, {edit.__name__}: {len(found)} crashes in {last} actions")
    assert undo(path).state == "undone"
    assert path.read_bytes() == allowed[old]


@pytest.mark.parametrize("container", CONTAINERS)
def test_an_undo_that_crashes_leaves_the_disk_wholly_old_or_wholly_new(quick_folder: Path, container: str) -> None:
    live = quick_folder / "live"
    live.mkdir()
    path = make_image(live, container)
    old = content(path)
    allowed = {old: path.read_bytes()}
    commit(path, change)
    new = content(path)
    allowed[new] = path.read_bytes()

    with recorded(live) as recording:
        undo(path)

    assert content(path) == old
    crashed = quick_folder / "crashed"
    found = outcomes(recording, crashed, lambda: settle(crashed, allowed))
    last = len(recording.actions)
    assert {found[last, policy] for policy in WHOLE} == {old}
    assert {found[0, policy] for policy in WHOLE} == {new}
    print(f"{container}, undo: {len(found)} crashes in {last} actions")


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_rollback_that_crashes_too_leaves_the_disk_as_it_was(quick_folder: Path, container: str) -> None:
    live, first, second = quick_folder / "live", quick_folder / "first", quick_folder / "second"
    live.mkdir()
    path = make_image(live, container)
    old = content(path)
    allowed = {old: path.read_bytes()}
    with recorded(live) as recording:
        commit(path, change)
    tried = 0

    for after in range(len(recording.actions)):
        if first.exists():
            shutil.rmtree(first)
        crash(recording, after, "chance", first)
        if pending(first / "disk") is None:
            continue
        with recorded(first) as again:
            EditSession(first / "disk").close()
        found = outcomes(again, second, lambda: settle(second, allowed), ("lose", "chance", "torn"))
        assert set(found.values()) == {old}
        tried += len(found)

    print(f"{container}, rollback: {tried} crashes of a rollback after a crash")
    assert tried > 100
