"""The command `vmrescue`, run as a user runs it: as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Before a command that is to be interrupted: a background job of a shell has its children ignore Ctrl-C, nohup SIGHUP.
INTERRUPTIBLE = ("env", "--default-signal=INT,HUP,TERM")
SECONDS = 300
DONE = (0, 1)  # of `repair`, `apply` and `cleanup`, whatever else is left that is worse than advice


def vmrescue(*arguments: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Runs it and returns what came out, whatever the exit status.

    The process is a fork of one that has imported the commands (`support.command_server`): that is most of a start.
    """
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as given:
        given.write(stdin.encode())
        given.seek(0)
        status = run_in([given.fileno(), output.fileno(), said.fileno()], arguments, dict(os.environ))
        texts = [_text(stream.fileno()) for stream in (output, said)]
    return subprocess.CompletedProcess(list(map(str, arguments)), status, *texts)


def said_by(*arguments: object) -> tuple[int, str]:
    """Runs it and returns its exit status and what it printed: both streams as one, as on a terminal."""
    with tempfile.TemporaryFile() as said, open(os.devnull, "rb") as nothing:
        status = run_in([nothing.fileno(), said.fileno(), said.fileno()], arguments, dict(os.environ))
        return status, _text(said.fileno())


def run_in(streams: list[int], arguments: Sequence[object], environment: dict[str, str]) -> int:
    """Runs it with these streams in a fork of the server; its exit status."""
    words = list(map(str, arguments))
    request = json.dumps([words, str(Path.cwd()), environment]).encode()
    server = _server()
    socket.send_fds(server, [request], streams)
    return _wait(server, words)


def vmrescue_anew(*arguments: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """The same in a fresh Python, which imports only what this command asks for."""
    command = [sys.executable, "-m", "vmrescue", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, input=stdin)


def output_of(*arguments: object, status: int | tuple[int, ...] = 0, stdin: str = "") -> str:
    """What it printed, when it ended with this exit status, or one of these."""
    done = vmrescue(*arguments, stdin=stdin)
    assert done.returncode in (status if isinstance(status, tuple) else (status,)), (
        f"{arguments} ended with {done.returncode}: {done.stderr}"
    )
    return done.stdout


@cache
def _server() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        os.set_inheritable(theirs.fileno(), True)
        command = [sys.executable, "-P", str(Path(__file__).with_name("command_server.py")), str(theirs.fileno())]
        _PROCESSES.append(subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL))
    ours.settimeout(SECONDS)
    return ours


_PROCESSES: list[subprocess.Popen[bytes]] = []  # else Python would complain that one was forgotten


def _wait(server: socket.socket, words: list[str]) -> int:
    process = int(server.recv(64))
    try:
        return int(server.recv(64))
    except TimeoutError:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        _server.cache_clear()  # its answer is still to come
        raise subprocess.TimeoutExpired(words, SECONDS) from None


def _text(descriptor: int) -> str:
    with open(descriptor, closefd=False) as stream:
        stream.seek(0)
        return stream.read()
