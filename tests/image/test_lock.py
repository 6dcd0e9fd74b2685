"""An image that another process uses is refused, with the name of the process."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from image.images import make_image
from support.machine import need_root, need_tool, run
from support.vhd import qemu_vhd
from vmrescue.disk import EditSession, open_disk, undo
from vmrescue.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1 << 20


@contextmanager
def running(*command: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def python(code: str, path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Starts a process that runs this code on the file, reports that, and waits."""
    waits = f"import fcntl, os, sys, time\n{code}\nprint('ready', flush=True)\ntime.sleep(60)"
    with running(sys.executable, "-c", waits, path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process


def refusal(path: Path) -> str:
    """The error text of a refused repair; asserts that reading is not refused."""
    with pytest.raises(RefusedError) as caught:
        EditSession(path)
    assert caught.value.exit_status == 4
    with pytest.raises(RefusedError):
        open_disk(path, writable=True)
    with pytest.raises(RefusedError):
        undo(path)
    disk = open_disk(path)
    disk.read_at(0, 512)
    disk.close()
    return str(caught.value)


def test_a_process_that_has_the_image_open_for_writing_is_named(tmp_path: Path) -> None:
    path = make_image(tmp_path, "raw")
    before = path.read_bytes()

    with python("file = open(sys.argv[1], 'r+b')", path) as process:
        said = refusal(path)

    assert said == f"{path} is in use: {comm()} (process {process.pid}) has it open for writing"
    assert path.read_bytes() == before
    EditSession(path).close()


def comm() -> str:
    """The kernel's name for our Python process, which is also the other process's."""
    return Path("/proc/self/comm").read_text().strip()


def test_one_that_came_too_late_for_the_lock_and_is_closing_does_not_make_the_first_give_up(tmp_path: Path) -> None:
    path = make_image(tmp_path, "raw")

    with python("file = open(sys.argv[1], 'r+b'); import threading; threading.Timer(0.1, file.close).start()", path):
        EditSession(path).close()


def test_a_process_that_only_reads_does_not_stand_in_the_way(tmp_path: Path) -> None:
    path = make_image(tmp_path, "raw")
    before = path.read_bytes()

    with python("file = open(sys.argv[1], 'rb')", path), EditSession(path) as session:
        session.disk.write_at(0, b"x")
        session.commit()

    assert path.read_bytes() == b"x" + before[1:]


def test_a_process_that_opens_and_closes_the_image_all_the_time_ends_nobody_and_hinders_nobody(tmp_path: Path) -> None:
    path = make_image(tmp_path, "raw")
    opens = "while os.getppid() == parent: open(sys.argv[1], 'rb').close()"
    code = f"import os, sys\nparent = os.getppid()\nprint('ready', flush=True)\n{opens}"

    with running(sys.executable, "-c", code, path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        for _ in range(50):
            EditSession(path).close()
        assert process.poll() is None


@pytest.mark.parametrize("mode", ["-r", ""])
def test_an_image_that_qemu_holds_is_refused_even_if_qemu_only_reads(tmp_path: Path, mode: str) -> None:
    need_tool("qemu-io")
    path = qemu_vhd(tmp_path / "disk.vhd", 4 * MIB, "fixed")

    with running("qemu-io", *mode.split(), "-f", "vpc", "-c", "sleep 60000", path) as process:
        wait_for_lock(path)
        said = refusal(path)

    assert f"qemu-io (process {process.pid}) holds a lock on it, as QEMU does for a running machine" in said
    EditSession(path).close()


def wait_for_lock(path: Path) -> None:
    """Waits until a process has locked a range of the file."""
    inode = f":{path.stat().st_ino} "
    for _ in range(500):
        if any("OFDLCK" in line and inode in line for line in Path("/proc/locks").read_text().splitlines()):
            return
        time.sleep(0.01)
    pytest.fail(f"nobody locked {path} in five seconds")


def test_an_image_that_is_attached_to_a_loop_device_is_refused(tmp_path: Path) -> None:
    need_root()
    path = make_image(tmp_path, "raw")
    device = run("losetup", "--find", "--show", "--read-only", path).strip()
    try:
        said = refusal(path)
    finally:
        run("losetup", "--detach", device)

    assert said.endswith(f"it is attached to the loop device {device}")
    EditSession(path).close()


def test_a_disk_with_a_mounted_partition_is_refused_with_the_place(tmp_path: Path) -> None:
    need_root()
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(32 * MIB))
    run("mkfs.ext4", "-q", "-E", f"offset={MIB}", path, "30m")
    device = run("losetup", "--find", "--show", path).strip()
    mount = tmp_path / "mnt"
    mount.mkdir()
    try:
        run("addpart", device, "1", "2048", "61440")
        run("mount", f"{device}p1", mount)
        with pytest.raises(RefusedError, match=f"{device} is mounted on {mount}"):
            EditSession(device)
        run("umount", mount)
        EditSession(device).close()
    finally:
        run("umount", mount, ok=(0, 32))
        run("delpart", device, "1", ok=(0, 1))
        run("losetup", "--detach", device)
    EditSession(path).close()


def test_of_two_repairs_the_second_is_refused_with_the_first_ones_name(tmp_path: Path) -> None:
    path = make_image(tmp_path, "dynamic")

    with EditSession(path) as first:
        with pytest.raises(RefusedError, match=rf"is locked by .*\(process {os.getpid()}\), perhaps another repair"):
            EditSession(path)
        first.disk.write_at(0, b"first")
        first.commit()
    with EditSession(path) as second:
        assert second.disk.read_at(0, 5) == b"first"

    with python("file = os.open(sys.argv[1], os.O_RDONLY); fcntl.flock(file, fcntl.LOCK_EX)", path) as process:
        assert f"is locked by {comm()} (process {process.pid})" in refusal(path)


def test_a_posix_lock_on_any_byte_is_respected(tmp_path: Path) -> None:
    path = make_image(tmp_path, "raw")

    with python("file = os.open(sys.argv[1], os.O_RDWR); fcntl.lockf(file, fcntl.LOCK_EX, 1, 77)", path):
        said = refusal(path)

    assert "holds a lock on it" in said


def test_the_lock_is_taken_at_once_and_given_back(tmp_path: Path) -> None:
    path = make_image(tmp_path, "raw")
    started = time.process_time()

    EditSession(path).close()

    assert time.process_time() - started < 0.5
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
