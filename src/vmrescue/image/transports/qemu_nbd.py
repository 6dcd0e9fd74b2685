"""Starts `qemu-nbd` for one image, and ends it with this program, however that ends.

The server gets a listening socket, to which this program is connected already, and which holds no second connection;
its name is deleted before the server starts, if it is a file's. So it serves nobody else. It ends when the connection
does, which closes the image in order. If this program is killed before the two have agreed on anything, the kernel
sends the server SIGTERM (`setpriv --pdeathsig`). That signal depends on the thread that started the server, so one
thread that lasts starts all of them.

QEMU guesses nothing: the format of each file is stated, as are cache and locking.
Sources: QEMU, docs/tools/qemu-nbd.rst, util/systemd.c; systemd, sd_listen_fds(3); Linux, prctl(2).
"""

from __future__ import annotations

import fcntl
import functools
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from vmrescue.errors import RefusedError, UnsupportedError
from vmrescue.image.qemu import PACKAGES
from vmrescue.image.qemu_options import objects_for, wrong_key
from vmrescue.log import logger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.image.qemu_options import Blocks
    from vmrescue.image.transports.file import FileDevice

LOG = logger("image")
NEEDED = {
    "qemu-nbd": PACKAGES,
    "setpriv": "util-linux (Debian, Ubuntu: apt install util-linux; Fedora, RHEL), setpriv (Alpine)",
}
# $1: this program's process id. The listening socket, which comes as standard input, must be file 3.
START = '[ "$PPID" = "$1" ] || exit 1; shift; export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@" 3<&0 0</dev/null'
UNKNOWN, MORE = "Unknown protocol", "; on Debian and Ubuntu the package qemu-block-extra has it"
WRONG_KEY = "Invalid password"  # crypto/block-luks.c
FIRST_FREE = 10  # the number of the locked file in the server, out of the way of the others
ENDING = 120  # seconds to write out what the server keeps, and to close the image
DYING = 10  # seconds until a server that closed the connection has ended
LONGEST_MESSAGE = 64 << 10  # bytes
BLOCKS = re.compile("Failed to blk_new_open '.*': ")  # before the reason, with all options


def what_is_missing() -> str | None:
    """What has to be installed before QEMU can write an image, as a sentence; None if nothing."""
    for program, packages in NEEDED.items():
        if shutil.which(program) is None:
            return f"{program} is not installed: it comes with the package {packages}"
    return None


class QemuNbd:
    """A running `qemu-nbd`, and the session with it.

    Args:
        image: as QEMU names it: its options, or the address of a raw disk.
        path: of the image, for messages.
        writable: whether it is opened for writing. Else it may be open elsewhere too.
        lock: a locked file; the lock lasts as long as the server, also if this program is killed.

    Raises:
        UnsupportedError: a program is missing.
        ReadError: QEMU cannot open the image; the text has its reason.
    """

    def __init__(self, image: Blocks | str, path: str, writable: bool = False, lock: FileDevice | None = None) -> None:
        if missing := what_is_missing():
            raise UnsupportedError(f"{path} is opened by QEMU, and {missing}")
        self._secret, self._shown = (image, path) if isinstance(image, str) else (path, path)
        self._said = os.fdopen(os.memfd_create("what qemu-nbd says"), "w+b")  # a file that needs no folder
        listener, connection = _connected_pair()
        try:
            self._process = _start(_words(image, writable), listener, self._said.fileno(), lock)
        except BaseException:
            connection.close()
            self._said.close()
            raise
        finally:
            listener.close()
        LOG.info("%s: opened by qemu-nbd, process %d", path, self._process.pid)
        try:
            from vmrescue.image.transports.nbd.address import Address  # here, because most images need no QEMU
            from vmrescue.image.transports.nbd.session import Session

            address = Address(path, "", 0, None, b"", demands_tls=False)
            self.session = Session(address, connection, self._why_ended)
        except BaseException:
            self._end()
            raise

    def _why_ended(self) -> str:
        """Why the server has ended, as far as it can be known; empty if it has not."""
        try:
            status = self._process.wait(DYING)
        except subprocess.TimeoutExpired:
            return ""
        self._said.seek(0)
        said = BLOCKS.sub("", self._said.read(LONGEST_MESSAGE).decode("utf-8", "replace"))
        lines = said.replace(self._secret, self._shown).strip().splitlines()
        if status < 0:
            return f"qemu-nbd was ended by signal {-status}"
        if not lines:
            return f"qemu-nbd ended with status {status}"
        if WRONG_KEY in lines[-1]:
            return wrong_key()
        return lines[-1] + (MORE if UNKNOWN in lines[-1] else "")

    def _end(self) -> None:
        try:
            self._process.wait(ENDING)
        except subprocess.TimeoutExpired:
            self._process.terminate()
            try:
                self._process.wait(ENDING)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        finally:
            self._said.close()

    def close(self) -> None:
        """Ends the session, and returns when the server has closed the image and ended."""
        if not self._said.closed:
            self.session.close()
            self._end()


def _words(image: Blocks | str, writable: bool) -> list[str]:
    words = ["qemu-nbd", "--shared=1", "--cache=writeback", *([] if writable else ["--read-only"])]
    if isinstance(image, str):
        return [*words, "--format=raw", "--discard=ignore", "--detect-zeroes=off", image]
    blocks = {**image, "discard": "ignore", "detect-zeroes": "off"}
    if not writable:
        blocks |= {"read-only": True, "force-share": True}
    return [*words, *objects_for(image), "--aio=threads", f"json:{json.dumps(blocks)}"]


def _connected_pair() -> tuple[socket.socket, socket.socket]:
    """A listening socket, and the one connection to it: it holds no second one until the server has taken this one.

    Raises RefusedError where somebody else was quicker, which only a name of the kernel's lets them try.
    """
    listener, connection = (socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(2))
    try:
        with _name() as name:
            listener.bind(name)
            listener.listen(0)
            connection.setblocking(False)
            connection.connect(listener.getsockname())
        connection.setblocking(True)
    except BaseException as error:
        listener.close()
        connection.close()
        if isinstance(error, BlockingIOError):
            raise RefusedError("another program connected itself to the socket for qemu-nbd: try again") from error
        raise
    return listener, connection


@contextmanager
def _name() -> Iterator[str]:
    """A name for a socket, in a folder for this user alone. Where none can be made, the kernel gives one (unix(7))."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="vmrescue-"))
    except OSError:
        yield ""
        return
    place = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{place}/socket"  # short, however long the folder's name is
    finally:
        os.close(place)
        shutil.rmtree(folder, ignore_errors=True)


def _start(words: list[str], listener: socket.socket, said: int, lock: FileDevice | None) -> subprocess.Popen[bytes]:
    kept = () if lock is None else (fcntl.fcntl(lock.fileno(), fcntl.F_DUPFD_CLOEXEC, FIRST_FREE),)
    command = ["setpriv", "--pdeathsig", "TERM", "sh", "-c", START, "sh", str(os.getpid()), *words]
    try:
        return (
            _starter(os.getpid())
            .submit(
                subprocess.Popen,
                command,
                stdin=listener.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=said,
                pass_fds=kept,
                start_new_session=True,  # Ctrl-C in the terminal goes to this program only
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            )
            .result()
        )
    finally:
        for descriptor in kept:
            os.close(descriptor)


@functools.cache
def _starter(process: int) -> ThreadPoolExecutor:
    """The thread that starts the servers of a process; a fork has none of its parent's threads."""
    return ThreadPoolExecutor(1, f"qemu-nbd of {process}")
