"""A process that has imported the whole program, and runs one in a fork of itself whenever it is asked to.

A start of Python with all that the command imports costs a third of a second; a fork of a process that has done so, a
hundredth. Each run is still a process of its own, with its own streams, folder and environment, that ends as Python
ends. Started by `support.command`; it ends when whoever started it closes the socket.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import socket
import sys
from contextlib import suppress
from functools import cache
from typing import NoReturn

import vmrescue
from vmrescue.cli.main import main

LIMIT = 1 << 20  # bytes of a request: what a command line and an environment take
STREAMS = 3


@cache
def import_all() -> None:
    """What the commands would import each time anew: every module of ours, and what those stand on."""
    for module in pkgutil.walk_packages(vmrescue.__path__, "vmrescue."):
        if not module.name.endswith("__main__") and not module.name.startswith("vmrescue.dissect_plugin"):
            importlib.import_module(module.name)


def serve(connection: socket.socket) -> list[str] | None:
    """Answers requests until there are no more: None. In a fork that is to run a command, the command's words."""
    while True:
        request, streams, _, _ = socket.recv_fds(connection, LIMIT, STREAMS)
        if not request:
            return None
        words, folder, environment = json.loads(request)
        child = os.fork()
        if not child:
            connection.close()
            become(streams, folder, environment)
            return list(words)
        for stream in streams:
            os.close(stream)
        connection.send(str(child).encode())
        connection.send(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())


def become(streams: list[int], folder: str, environment: dict[str, str]) -> None:
    """Takes over what a new process would have been given."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", buffering=1)  # noqa: SIM115


def end(status: object) -> NoReturn:
    """Ends as Python does with this SystemExit, but for clearing away its modules, which takes as long as a command."""
    atexit._run_exitfuncs()
    if isinstance(status, str):
        print(status, file=sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        with suppress(ValueError):  # it was closed
            stream.flush()
    os._exit(status if isinstance(status, int) else int(status is not None))


if __name__ == "__main__":
    import_all()
    gc.collect()
    gc.freeze()  # what is there by now is never looked at again: the forks share its memory
    if (words := serve(socket.socket(fileno=int(sys.argv[1])))) is not None:
        sys.argv = ["vmrescue", *words]
        try:
            main()
        except SystemExit as ended:
            end(ended.code)
        end(None)
