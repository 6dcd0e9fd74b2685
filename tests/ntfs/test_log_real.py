"""$LogFile of volumes that Windows wrote: replayed as by ntfsrecover, and old sessions undone and redone."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING, BinaryIO

from ntfs.log_cases import pending_work
from ntfs.log_history import (
    BLOCK,
    RECORD,
    changed_blocks,
    last_session,
    longest_session,
    meaning,
    open_log,
    redo_all,
    undo_all,
)
from ntfs.volumes import cloud_volume, windows_volume
from support.machine import run
from support.memory_device import MemoryDevice
from support.ntfs_judges import mounted_tree, structure_judges
from vmrescue.image.transports.file import FileDevice
from vmrescue.ntfs.log.layout import LogOperation
from vmrescue.ntfs.log.replay import replay

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


CLOUD_LOG = 0x14A88000  # byte of the volume where the log of ntfs-cloud.bin begins
FREE_CLIENT = 0x3A  # offset in a restart page of the first free client's number
SMALL_FILE = 48  # in ntfs-cloud.bin, a file that was written to within its record
CHUNK = 1 << 16


def differing(first: Path, second: Path) -> list[int]:
    """Where two volumes differ; holes of both files are not looked at."""
    with first.open("rb") as one, second.open("rb") as two:
        places = sorted({*_stored(one, first.stat().st_size), *_stored(two, second.stat().st_size)})
        found = []
        for place in places:
            one.seek(place)
            two.seek(place)
            old, new = one.read(CHUNK), two.read(CHUNK)
            if old != new:
                found += [place + at for at in range(len(old)) if old[at] != new[at]]
        return found


def _stored(file: BinaryIO, size: int) -> Iterator[int]:
    """The chunks of a sparse file that are not all hole."""
    at = 0
    while at < size:
        try:
            start = os.lseek(file.fileno(), at, os.SEEK_DATA)
        except OSError:
            return  # only a hole is left
        at = os.lseek(file.fileno(), start, os.SEEK_HOLE)
        yield from range(start // CHUNK * CHUNK, at, CHUNK)


def test_the_log_of_a_crashed_windows_is_replayed_as_ntfsrecover_does(tmp_path: Path) -> None:
    ours, theirs = cloud_volume(tmp_path / "ours"), cloud_volume(tmp_path / "theirs")
    said = run("ntfsrecover", "-k", theirs)
    assert "successful after playing 2 actions" in said

    with closing(FileDevice(ours, writable=True)) as device:
        reason = pending_work(device)
        done = replay(device)
        after = pending_work(device)

    assert reason is not None
    assert "version 2.0" in reason
    assert done is not None
    assert (done.version, done.first_lsn, done.last_lsn) == ("2.0", 0x405AD5, 0x405B7F)
    assert (done.redone, done.undone, done.transactions) == (0, 0, 0), "all that was logged had reached the disk"
    assert after is None
    # ntfsrecover leaves the one client in neither list; we say that it is free, as Windows does when it closes a log
    expected = [CLOUD_LOG + page + FREE_CLIENT + byte for page in (0, 0x1000) for byte in (0, 1)]
    assert differing(ours, theirs) == expected
    structure_judges(ours)
    assert mounted_tree(ours) == mounted_tree(theirs)


def test_a_log_that_windows_closed_has_no_work() -> None:
    device = MemoryDevice(windows_volume())

    assert pending_work(device) is None
    assert replay(device) is None
    assert device.writes == []


def test_undoing_all_that_windows_logged_and_redoing_it_gives_the_volume_that_windows_left() -> None:
    device = MemoryDevice(windows_volume())
    before = bytes(device.data)
    store, log = open_log(device)
    updates = longest_session(log)
    assert len(updates) == 8152

    undone, failed = undo_all(store, updates)
    redone = redo_all(store, updates)
    store.pending.commit()

    assert (undone, failed) == (4628, 2)
    assert redone[LogOperation.INITIALIZE_FILE_RECORD] == 867
    assert redone[LogOperation.DEALLOCATE_FILE_RECORD] == 420
    assert redone[LogOperation.ADD_BLOCK_ENTRY] == 471
    after = bytes(device.data)
    changed = changed_blocks(before, after)
    assert len(changed) == 148
    assert [at for at in changed if meaning(before, at) != meaning(after, at)] == []


def test_the_same_of_the_last_session_before_the_crash_but_for_a_small_files_content(tmp_path: Path) -> None:
    before, after = cloud_volume(tmp_path / "before"), cloud_volume(tmp_path / "after")
    with closing(FileDevice(after, writable=True)) as device:
        store, log = open_log(device)
        updates = last_session(log)
        assert len(updates) == 247

        undone, failed = undo_all(store, updates)
        redone = redo_all(store, updates)
        store.pending.commit()
        small_file = store.mft.position(SMALL_FILE)

    assert (undone, failed) == (136, 0)
    assert (redone[LogOperation.SET_ATTRIBUTE_SIZES], redone[LogOperation.UPDATE_ROOT_DATA]) == (54, 6)
    assert sum(redone.values()) == 137
    changed = sorted({at // BLOCK * BLOCK for at in differing(before, after)})
    assert len(changed) == 14
    for at in changed:
        old, new = block_of(before, at), block_of(after, at)
        if at == small_file // BLOCK * BLOCK:  # its content lies in the record, and content is not logged
            assert meaning(old, 0) != meaning(new, 0)
            record = slice(small_file - at, small_file - at + RECORD)
            new = new[: record.start] + old[record] + new[record.stop :]
        assert meaning(old, 0) == meaning(new, 0)


def block_of(path: Path, at: int) -> bytes:
    with path.open("rb") as file:
        file.seek(at)
        return file.read(BLOCK)
