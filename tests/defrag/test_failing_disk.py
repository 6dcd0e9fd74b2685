"""The disk that holds the image is full, or fails: what was moved so far is sound, and the rest is where it was."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from defrag.test_crash import prepare
from ntfs.volumes import opened, tree_of
from support.crash import failing
from support.ntfs_judges import structure_judges
from vmrescue.disk import EditSession
from vmrescue.errors import RepairFailedError, VmRescueError
from vmrescue.transaction import defragmenting
from vmrescue.transaction.defragmenting import Defragmentation

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("lasting", [False, True])
def test_a_call_that_fails_leaves_every_file_whole(
    quick_folder: Path, monkeypatch: pytest.MonkeyPatch, lasting: bool
) -> None:
    monkeypatch.setattr(defragmenting, "STEP", 32 << 10)
    path = quick_folder / "volume.img"
    prepare(path)
    with opened(path) as volume:
        tree = tree_of(volume)
    at = failures = 0
    said: list[str] = []
    while True:
        calls: list[str] = []
        try:
            with failing(at, errno.ENOSPC, lasting) as calls, Defragmentation(path) as defragmentation:
                defragmentation.run(free_space=True)
        except VmRescueError as error:
            failures += 1
            said.append(str(error))
        if len(calls) <= at:
            break
        EditSession(path).close()
        with opened(path) as volume:
            assert volume.check() == []
            assert tree_of(volume) == tree
        at += 5
    assert failures > 3
    # moves were made before, or content was copied to free clusters
    assert not any("every image is as before" in each for each in said)
    unsettled = [each for each in said if "is rolled back once vmrescue opens it to write" in each]
    assert not any("the volume is sound" in each for each in unsettled)
    assert bool(unsettled) == lasting
    structure_judges(path)


def test_content_that_the_disk_keeps_wrong_is_seen_and_nothing_is_moved(
    quick_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = quick_folder / "volume.img"
    prepare(path)
    with opened(path) as volume:
        tree, extents = tree_of(volume), volume.file_extents("two")
    write, wrong = os.pwrite, []

    def write_wrongly(handle: int, data: bytes | memoryview, offset: int) -> int:
        if bytes(data).count(b"2") == len(data) >= 4096:  # content of the file "two", on its way to its new place
            wrong.append(offset)
            data = bytes([*data[:-1], ord("3")])
        return write(handle, data, offset)

    monkeypatch.setattr(os, "pwrite", write_wrongly)
    said = pytest.raises(RepairFailedError, match="of the disk are not what was written")
    with Defragmentation(path) as defragmentation, said:
        defragmentation.run(["two"])
    assert wrong
    with opened(path) as volume:
        assert volume.check() == []
        assert tree_of(volume) == tree
        assert volume.file_extents("two") == extents
    structure_judges(path)
