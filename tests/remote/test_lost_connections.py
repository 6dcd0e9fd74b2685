"""The line to Azure's emulator fails while a page blob is written: it is old, new, or says that it is neither."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from itertools import count
from typing import TYPE_CHECKING

import pytest

import vmrescue
from support.azurite import blob_sha256, is_left_alone
from support.campaign import whole
from support.command import output_of
from support.images import sha256
from vmrescue.disk import EditSession, open_disk, pending
from vmrescue.errors import RefusedError, RepairFailedError, VmRescueError
from vmrescue.image.transports.azure import MARK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.azurite import Azurite
    from support.frail_line import FrailLine

MIB = 1 << 20
PAUSES = "vmrescue.image.transports.attempts.PAUSES"


def test_a_dry_run_writes_nothing_and_the_repair_reads_little_more_even_where_an_answer_is_lost(
    service: Azurite, image: Path, url: str, line: FrailLine
) -> None:
    before = sha256(image)
    assert vmrescue.repair(url, dry_run=True).written
    assert blob_sha256(service, image) == before
    needed, line.answered = line.answered, 0
    line.fails_at, line.way = 2, "drop answer"
    receipt = vmrescue.repair(url)
    assert line.answered < 1.5 * needed  # the diagnosis, the edits and their checks: what a dry run makes
    assert line.failed.is_set()
    assert receipt.committed
    assert blob_sha256(service, image) != before
    assert is_left_alone(service, image)


@pytest.mark.parametrize("at", range(1, 10) if whole("VMRESCUE_EVERY_CUT") else [3])  # of 9 uploads
def test_a_connection_lost_half_way_is_an_error_and_the_next_command_rolls_back(
    at: int, service: Azurite, image: Path, url: str, line: FrailLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PAUSES, ())  # what is cut stays cut
    before = sha256(image)
    line.fails_at = at
    with pytest.raises(RepairFailedError, match="once vmrescue opens it to write"):
        vmrescue.repair(url)
    assert (blob_sha256(service, image) != before) == (at > 1)
    line.mend()
    assert pending(url) is not None
    open_disk(url, writable=True).close()
    assert blob_sha256(service, image) == before
    assert is_left_alone(service, image)


def test_a_repair_killed_between_two_pages_shows_the_old_image_and_is_rolled_back(
    service: Azurite, image: Path, url: str, line: FrailLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sha256(image)
    line.fails_at, line.way = 3, "hold"
    process = subprocess.Popen([sys.executable, "-m", "vmrescue", "repair", "--yes", "--quiet", url])
    assert line.failed.wait(300)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    version = ""
    while version != (version := service.blob(image.name).get_blob_properties().etag):
        time.sleep(1)  # what was under way when it died may still come to be written
    assert blob_sha256(service, image) != before

    near, far = open_disk(image), open_disk(url)
    assert "interrupted" in far.warnings[0]
    for start in range(0, near.size, 16 * MIB):
        assert far.read_at(start, 16 * MIB) == near.read_at(start, 16 * MIB)
    near.close()
    far.close()

    here = os.environ["XDG_STATE_HOME"]
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another machine"))
    with pytest.raises(RefusedError, match=r"lease of a minute at most|half repaired"):
        open_disk(url, writable=True)
    monkeypatch.setenv("XDG_STATE_HOME", here)  # where the dead process's lease can be taken over

    output_of("undo", url)
    assert blob_sha256(service, image) == before
    assert is_left_alone(service, image)


def cut_at_each(
    line: FrailLine, act: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[int, bool]]:
    """Does something with its line cut at each request in turn: (number, whether it said that it was done).

    In CI at each third; the last time it is not cut.
    """
    monkeypatch.setattr(PAUSES, ())  # what is cut stays cut
    step = 1 if whole("VMRESCUE_EVERY_CUT") else 3
    for number in count(1, step):
        line.mend()
        line.every, line.fails_at = True, number
        done = True
        try:
            act()
        except VmRescueError:
            done = False
        reached = line.failed.is_set()
        line.mend()
        yield number, done
        if not reached:
            return


def test_a_commit_and_its_undo_cut_at_any_request_leave_the_old_image_or_the_new(
    service: Azurite, tmp_path: Path, line: FrailLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And while the blob is neither, it says so to everybody: also while it is cut to its old length."""
    image = tmp_path / f"{tmp_path.name}.raw"
    old = bytes(range(256)) * (MIB // 256)
    image.write_bytes(old)
    url, blob = service.upload(image), service.blob(image.name)
    places = 700, MIB // 2, MIB + 5000
    new = bytearray(old + bytes(MIB))
    for offset in places:
        new[offset : offset + 3] = b"new"

    def commit() -> None:
        with EditSession(url) as session:
            session.disk.resize(2 * MIB)
            for offset in places:
                session.disk.write_at(offset, b"new")
            session.commit()

    def settled() -> bytes:
        """What the blob holds once vmrescue has opened it to write again; until then it is marked."""
        held = blob.download_blob().readall()
        assert held in (old, new) or MARK in blob.get_blob_properties().metadata
        open_disk(url, writable=True).close()
        assert is_left_alone(service, image)
        return bytes(blob.download_blob().readall())

    cuts = list[int]()
    for number, done in cut_at_each(line, commit, monkeypatch):
        cuts.append(number)
        found = settled()
        assert found == new if done else found in (old, new)
        if found == new:
            vmrescue.undo(url)
    assert done
    commit()
    for number, done in cut_at_each(line, lambda: vmrescue.undo(url), monkeypatch):
        cuts.append(number)
        found = settled()
        assert found == old if done else found in (old, new)
        if found == old:
            commit()
    assert done
    assert len(cuts) > 8
