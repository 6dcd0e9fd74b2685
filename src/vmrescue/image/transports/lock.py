"""Finds other users of an image; a repair must be its only user.

Four things are checked: our own lock, which keeps two repairs apart; locks on ranges of the file, as QEMU holds them
(its docs/system/images.rst, "Disk image file locking"); processes that have the file open for writing; loop devices and
mounts. Linux lists them in /proc and /sys, as far as the user's rights allow. Readers take no lock and are not refused.
"""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING

from vmrescue.errors import RefusedError
from vmrescue.files import kind_of
from vmrescue.image.transports.file import FileDevice

if TYPE_CHECKING:
    from collections.abc import Iterator

FLOCK = struct.Struct("hhqqi4x")  # struct flock of Linux: type, whence, start, length (0: to the end), process
CLOSING = 0.2  # seconds in which one that came too late for our lock has closed the image again
PROC = Path("/proc")
SYS = Path("/sys")


def locked_file(path: str | os.PathLike[str]) -> FileDevice:
    """Opens an image file or a block device for writing; it is locked until it is closed.

    Raises:
        RefusedError: somebody else uses it, or it may not be written.
    """
    refuse_mounted(path)
    image = FileDevice(path, writable=True)
    try:
        take_lock(image)
    except BaseException:
        image.close()
        raise
    return image


def take_lock(image: FileDevice) -> None:
    """Locks an image that is open for writing, until it is closed.

    Raises:
        RefusedError: somebody else uses it; the text says who, if that is known.
    """
    try:
        fcntl.flock(image.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        users = list(_users(image))
        if users:
            time.sleep(CLOSING)
            users = list(_users(image))
    except BlockingIOError as error:
        who = _flock_holder(image) or "another process"
        raise RefusedError(f"{image.path} is locked by {who}, perhaps another repair") from error
    except OSError as error:
        raise RefusedError(f"{image.path}: its file system can't say who uses it: {error.strerror}") from error
    if users:
        raise RefusedError(f"{image.path} is in use: {'; '.join(users)}")


def refuse_mounted(path: str | os.PathLike[str]) -> None:
    """Raises RefusedError, with the mount point, if a block device or a partition of it is mounted."""
    device = Path(path)
    if kind_of(device) != stat.S_IFBLK:
        return
    number = device.stat().st_rdev
    folder = SYS / "dev" / "block" / f"{os.major(number)}:{os.minor(number)}"
    numbers = {each.read_text().strip() for each in [folder / "dev", *folder.glob("*/dev")] if each.exists()}
    for line in (PROC / "self" / "mountinfo").read_text().splitlines():
        fields = line.split()  # proc_pid_mountinfo(5): the third is major:minor, the fifth the mount point
        if fields[2] in numbers:
            raise RefusedError(f"{path} is mounted on {fields[4]}")


def _users(image: FileDevice) -> Iterator[str]:
    status = os.fstat(image.fileno())
    processes = [] if _is_ours_alone(image.fileno()) else list(_processes(status))
    for name, writes in processes:
        if writes:
            yield f"{name} has it open for writing"
    if _is_range_locked(image.fileno()):
        who = ", ".join(name for name, _ in processes) or "a program that can't be named from here"
        yield f"{who} holds a lock on it, as QEMU does for a running machine"
    for loop in sorted(SYS.glob("block/loop*/loop/backing_file")):
        if _is_same(loop, status):
            yield f"it is attached to the loop device /dev/{loop.parts[-3]}"


def _is_ours_alone(descriptor: int) -> bool:
    """Whether the kernel confirms that nobody else has the file open, so that the slow search can be skipped.

    The kernel grants a write lease (fcntl(2), "Leases") only then. It grants none for devices and on some file systems,
    so a refusal proves nothing. The search takes longer the more files are open on the machine. The lease is released
    at once: a process that opens the file meanwhile is not delayed noticeably, and the signal for it is ignored.
    """
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)  # the default, SIGIO, would end the process
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    except OSError:
        return False
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return True


def _processes(status: os.stat_result) -> Iterator[tuple[str, bool]]:
    """Each other process that has the file or device open: (name, whether it is open for writing)."""
    for process in PROC.iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        modes = [mode for descriptor in _entries(process / "fd") for mode in _mode(descriptor, status)]
        if modes:
            yield _name(process), any(mode != os.O_RDONLY for mode in modes)


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []  # the process has ended, or belongs to another user


def _mode(descriptor: Path, status: os.stat_result) -> Iterator[int]:
    """The access mode of a process's descriptor, if it refers to the file or device."""
    try:
        if _identity(descriptor.stat()) == _identity(status):
            fdinfo = descriptor.parents[1] / "fdinfo" / descriptor.name
            flags = next(line.split()[1] for line in fdinfo.read_text().splitlines() if line.startswith("flags:"))
            yield int(flags, 8) & os.O_ACCMODE
    except OSError:
        return  # the descriptor was closed, or refers to nothing


def _identity(status: os.stat_result) -> tuple[int, int]:
    """Identifies a file, or a device under any of its names."""
    return (-1, status.st_rdev) if status.st_rdev else (status.st_dev, status.st_ino)


def _name(process: Path) -> str:
    try:
        return f"{(process / 'comm').read_text().strip()} (process {process.name})"
    except OSError:
        return f"process {process.name}"


def _is_range_locked(descriptor: int) -> bool:
    """Whether anybody else holds a lock (open file description or POSIX) on any byte."""
    asked = FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    kind, *_ = FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, asked))
    return bool(kind != fcntl.F_UNLCK)


def _is_same(backing_file: Path, status: os.stat_result) -> bool:
    try:
        return _identity(Path(backing_file.read_text().rstrip("\n")).stat()) == _identity(status)
    except OSError:
        return False  # the loop device was detached, or its file deleted


def _flock_holder(image: FileDevice) -> str | None:
    """The process that holds our kind of lock. proc_locks(5) gives processes, and files as major:minor:inode."""
    status = os.fstat(image.fileno())
    file = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    for line in (PROC / "locks").read_text().splitlines():
        fields = line.split()
        if fields[1] == "FLOCK" and fields[5] == file:
            return _name(PROC / fields[4])
    return None
