"""A signal at the worst moment: while what was written is being confirmed. The image is rolled back, or confirmed."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING
from unittest import mock

import pytest

import vmrescue
from defrag.test_crash import prepare
from ntfs.volumes import opened, tree_of
from support.command import output_of
from support.images import fingerprint, sha256
from vmrescue.disk import EditSession, copy_to_fixed, journal_folder, open_disk, pending
from vmrescue.transaction import history
from vmrescue.transaction.defragmenting import Defragmentation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import FrameType

CHECKS = ["bad-memory", "serial-console"]


def is_image(descriptor: int, image: Path) -> bool:
    return os.path.samestat(os.fstat(descriptor), image.stat())


@contextmanager
def while_confirmed(image: Path, act: Callable[[], None]) -> Iterator[list[str]]:
    """Does something when the image, once written, is read by whoever opens it anew; and at each write after that."""
    pread, pwrite, done = os.pread, os.pwrite, list[str]()

    def fake_pread(descriptor: int, length: int, offset: int) -> bytes:
        only_reads = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
        if done == ["written"] and only_reads and is_image(descriptor, image):
            done.append("confirmed")
            act()
        return pread(descriptor, length, offset)

    def fake_pwrite(descriptor: int, data: bytes, offset: int) -> int:
        if is_image(descriptor, image):
            if not done:
                done.append("written")
            elif "confirmed" in done:
                act()  # once more, while it is rolled back
        return pwrite(descriptor, data, offset)

    with mock.patch.multiple(os, pread=fake_pread, pwrite=fake_pwrite):
        yield done


def end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_a_commit_is_confirmed_rolls_it_back_and_a_second_one_waits(
    gen2_broken: Path, number: signal.Signals
) -> None:
    before = fingerprint(gen2_broken)
    old = signal.signal(number, signal.default_int_handler if number == signal.SIGINT else end)
    try:
        with (
            while_confirmed(gen2_broken, lambda: signal.raise_signal(number)) as done,
            pytest.raises(KeyboardInterrupt if number == signal.SIGINT else SystemExit) as ended,
        ):
            vmrescue.repair(gen2_broken, only=CHECKS)
    finally:
        signal.signal(number, old)
    assert "confirmed" in done
    assert ended.value.__notes__ == ["every image is as before"]
    assert fingerprint(gen2_broken) == before
    assert pending(gen2_broken) is None
    assert [past.state for past in history(gen2_broken)] == ["undone"]
    assert not list(journal_folder(gen2_broken).glob("*/receipt*"))
    assert vmrescue.repair(gen2_broken, only=CHECKS).committed


def test_a_kill_while_a_commit_is_confirmed_is_rolled_back_when_the_image_is_next_opened(gen2_broken: Path) -> None:
    before = fingerprint(gen2_broken)
    child = os.fork()
    if not child:
        try:
            with while_confirmed(gen2_broken, lambda: os.kill(os.getpid(), signal.SIGKILL)):
                vmrescue.repair(gen2_broken, only=CHECKS)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert fingerprint(gen2_broken) != before
    assert {"bad-memory"} <= {finding.check for finding in vmrescue.diagnose(gen2_broken).findings}, "read as it was"
    EditSession(gen2_broken).close()
    assert fingerprint(gen2_broken) == before


def test_a_signal_while_moves_are_confirmed_leaves_them_taken_back(quick_folder: Path) -> None:
    prepare(quick_folder / "volume.img")
    path = quick_folder / "volume.vhd"
    copy_to_fixed(open_disk(quick_folder / "volume.img"), path)
    with opened(path) as volume:
        tree = tree_of(volume)
    with (
        while_confirmed(path, lambda: signal.raise_signal(signal.SIGINT)) as done,
        pytest.raises(KeyboardInterrupt),
        Defragmentation(path) as defragmentation,
    ):
        defragmentation.run(free_space=True)
    assert "confirmed" in done
    assert {past.state for past in history(path)} == {"final", "undone"}
    with opened(path) as volume:
        assert volume.check() == []
        assert tree_of(volume) == tree


@contextmanager
def failing_at_the_receipt() -> Iterator[None]:
    """The disk takes no receipt's name any more."""
    rename = os.rename

    def fake(source: str, target: str) -> None:
        if os.fspath(target).endswith("receipt.json"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        rename(source, target)

    with mock.patch("os.rename", fake):
        yield


def test_a_change_without_its_receipt_is_said_to_be_made(gen2_broken: Path) -> None:
    before = fingerprint(gen2_broken)
    with failing_at_the_receipt(), pytest.raises(vmrescue.VmRescueError, match="was changed") as failure:
        vmrescue.repair(gen2_broken, only=CHECKS)
    assert failure.value.exit_status == 6
    assert fingerprint(gen2_broken) != before
    assert [past.state for past in history(gen2_broken)] == ["done"]
    vmrescue.undo(gen2_broken)
    assert fingerprint(gen2_broken) == before


def test_moves_that_were_made_are_not_said_to_be_rolled_back(quick_folder: Path) -> None:
    path = quick_folder / "volume.img"
    prepare(path)
    unlink = os.unlink
    confirmed = iter(range(100))

    def fake(target: str) -> None:
        if os.fspath(target).endswith(".done") and next(confirmed) == 1:  # 0: the log was emptied
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        unlink(target)

    with (
        mock.patch("os.unlink", fake),
        pytest.raises(vmrescue.VmRescueError, match="the volume is sound") as failure,
        Defragmentation(path) as defragmentation,
    ):
        defragmentation.run()
    assert failure.value.exit_status == 6
    with opened(path) as volume:
        assert volume.check() == []


def printing_to_a_full_disk(*words: object) -> tuple[int, str]:
    command = [sys.executable, "-m", "vmrescue", *map(str, words)]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    return done.returncode, done.stderr


def test_what_cannot_be_printed_of_a_change_does_not_hide_it(gen2_broken: Path) -> None:
    before = fingerprint(gen2_broken)
    status, said = printing_to_a_full_disk("repair", "--yes", "--only", "bad-memory", "--format", "json", gen2_broken)
    assert (status, said.count("\n")) == (6, 1)
    assert "the image was changed" in said
    assert fingerprint(gen2_broken) != before
    status, said = printing_to_a_full_disk("info", gen2_broken)
    assert (status, said.count("\n")) == (5, 1)
    assert "No space left" in said


def test_a_receipt_tells_a_put_file_by_its_size_and_hash(gen2_broken: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(1 << 20))
    output_of("put", gen2_broken, source, r"\new.bin", "--yes")
    [past] = history(gen2_broken)
    assert past.receipt is not None
    assert past.receipt.stat().st_size < 200_000
    [step] = json.loads(past.receipt.read_text())["plan"]["steps"]
    assert step["change"]["bytes"] == 1 << 20
    assert step["change"]["sha256"] == sha256(source)
