"""Replays a real volume from a checkpoint of its own log, as if Windows had crashed there.

The log of dissect.ntfs's `ntfs.bin` still holds a session of 8152 updates that Windows made and closed. Its restart
pages are made to say that the session's last checkpoint was an earlier one, and what was changed after it is taken from
the disk. Then the replay has to give the volume that Windows itself left.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from ntfs.log_builder import PAGE, plain, protected
from ntfs.log_history import BLOCK, RECORD, changed_blocks, longest_session, meaning, open_log, undo_all
from ntfs.volumes import windows_volume, write_sparse
from support.machine import run
from support.memory_device import MemoryDevice
from support.ntfs_judges import all_judges
from vmrescue.ntfs.log.layout import RESTART, UPDATE, TargetFlag
from vmrescue.ntfs.log.records import Records, read_update
from vmrescue.ntfs.log.replay import replay
from vmrescue.ntfs.log.tables import Tables, read_restart_data

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.ntfs.log.pages import LogFile
    from vmrescue.ntfs.log.records import LogRecord, Update
    from vmrescue.ntfs.store import FileStore

COPIES = range(2, 35)  # pages for copies, and the first page of records, which a later session has overwritten
SEQUENCE = 0x10  # offset in a file record; ntfsrecover does not raise it when the file is deleted


def crashed_at(checkpoint: int) -> tuple[bytes, LogRecord]:
    """The volume as if nothing had reached the disk since a checkpoint; and the last record of the session."""
    device = MemoryDevice(windows_volume())
    store, log = open_log(device)
    session = list(Records(log).walk(longest_session(log)[0].lsn))
    record = Records(log).get(checkpoint)
    assert record.kind == RESTART
    restart = read_restart_data(record)
    assert restart is not None
    tables = Tables(restart.version)
    if restart.pages:
        tables.load_pages(read_update(Records(log).get(restart.pages)))
    oldest = min(restart.start, tables.redo_start() or restart.start)
    updates = [read_update(each) for each in session if each.kind == UPDATE and each.lsn > restart.start]
    undo_all(store, updates)
    _lower_lsns(store, updates, restart.start)
    _restart_from(log, checkpoint, oldest, session[-1].lsn)
    store.pending.commit()
    return bytes(device.data), session[-1]


def _lower_lsns(store: FileStore, updates: list[Update], lsn: int) -> None:
    """Lowers later LSNs in the records and blocks that were changed since the checkpoint."""
    for update in updates:
        if update.lcns and update.target:
            position = update.lcns[0] * BLOCK + update.block_offset
            size = RECORD if update.target & TargetFlag.FILE_RECORD else BLOCK
            raw = plain(store.pending.read_at(position, size))
            struct.pack_into("<Q", raw, 8, min(lsn, int.from_bytes(raw[8:16], "little")))
            store.pending.write_at(position, protected(raw, int.from_bytes(raw[4:6], "little")))


def _restart_from(log: LogFile, checkpoint: int, oldest: int, last: int) -> None:
    """Restart pages of an open log of version 2.0, as Windows has it while it runs, and a copy of the last page."""
    page = plain(log.stream.read_at(0, PAGE))
    struct.pack_into("<HH", page, 0x1A, 0, 2)
    struct.pack_into("<QHHHH", page, 0x30, checkpoint, 1, 0xFFFF, 0, 0)
    struct.pack_into("<QQ", page, 0x70, oldest, checkpoint)
    at = log.offset(last) // PAGE * PAGE
    copy = bytearray(log.stream.read_at(at, PAGE))
    struct.pack_into("<I", copy, 0x3C, at)
    for number in COPIES:
        log.stream.write_at(number * PAGE, b"\xff" * PAGE)
    log.stream.write_at(2 * PAGE, bytes(copy))
    for position in (0, PAGE):
        log.stream.write_at(position, protected(page, 0x1E))


def log_blocks() -> set[int]:
    _, log = open_log(MemoryDevice(windows_volume()))
    return {
        run.lcn * BLOCK + at for run in log.stream.clusters.runs.stored for at in range(0, run.length * BLOCK, BLOCK)
    }


@pytest.mark.parametrize(
    ("checkpoint", "redone"),
    [(0x4951C1, 3182), (0x495222, 3181), (0x4A0502, 2122), (0x4A5B4A, 1488), (0x4AF8B2, 224), (0x4B3D0F, 3)],
)
def test_what_windows_logged_since_a_checkpoint_is_redone_to_what_windows_left(checkpoint: int, redone: int) -> None:
    crashed, last = crashed_at(checkpoint)
    device = MemoryDevice(crashed)

    done = replay(device)

    assert done is not None
    assert (done.version, done.last_lsn, done.redone, done.undone) == ("2.0", last.lsn, redone, 0)
    expected, after = windows_volume(), bytes(device.data)
    outside = set(changed_blocks(expected, after)) - log_blocks()
    assert [at for at in sorted(outside) if meaning(expected, at) != meaning(after, at)] == []


def test_ntfsrecover_makes_the_same_of_it_but_for_the_numbers_of_deleted_records(tmp_path: Path) -> None:
    crashed, _ = crashed_at(0x4A5B4A)
    device = MemoryDevice(crashed)
    theirs = write_sparse(crashed, tmp_path / "theirs")

    replay(device)
    said = run("ntfsrecover", "-k", theirs)

    assert "successful after playing 2799 actions" in said
    ours, other = bytes(device.data), theirs.read_bytes()
    outside = set(changed_blocks(ours, other)) - log_blocks()
    differing = [
        (at + place, ours[at + place] - other[at + place])
        for at in sorted(outside)
        if meaning(ours, at) != meaning(other, at)
        for place in range(BLOCK)
        if ours[at + place] != other[at + place]
    ]
    numbers = [(at, change) for at, change in differing if at % RECORD == SEQUENCE]
    assert len(numbers) == 210
    assert {change for _, change in numbers} == {1}
    assert numbers == [pair for pair in differing if not _is_fixup(ours, pair[0])]
    all_judges(write_sparse(ours, tmp_path / "ours"))


def _is_fixup(volume: bytes, at: int) -> bool:
    """Whether a byte of a file record is its update sequence number, there or at the end of a sector."""
    return at % 512 >= 510 or at % RECORD in (0x30, 0x31)
