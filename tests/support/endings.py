"""The command in a process that a test ends: by a signal, at a moment of the test's choice."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from support.command_server import import_all
from vmrescue.cli.interrupts import end_in_good_order
from vmrescue.cli.main import main
from vmrescue.disk import journal_folder
from vmrescue.interrupts import exit_status

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TRACEBACK = 70  # the status of a run that ends by one, or does not end by itself
MOST_SIGNALS = 3  # that a test sends to one run


def start(*words: object, said: Path | None = None) -> int:
    """Runs the command in a fork of this process, which has everything imported after `duration_of`; its process id.

    It answers signals by then. What it says on stderr goes to `said`.
    """
    ready, tell = os.pipe()
    child = os.fork()
    if child:
        os.close(tell)
        os.read(ready, 1)
        os.close(ready)
        return child
    try:
        if said:
            os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 2)
        sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
        sys.argv = ["vmrescue", *map(str, words)]
        _leave(lambda: _told(tell))
    finally:
        os._exit(TRACEBACK)


def _told(tell: int) -> None:
    end_in_good_order()
    os.write(tell, b"1")
    main()


def _leave(run: Callable[[], None], signals: int = MOST_SIGNALS) -> None:
    """Ends this process as the command ends, or as the signal means that comes before it, or while it is ending.

    A signal that comes while another, or the end itself, is being answered raises out of that answer: `signals` times.
    """
    try:
        try:
            run()
        except SystemExit as error:
            os._exit(error.code if isinstance(error.code, int) else 0)
        except KeyboardInterrupt as error:  # before the command began
            os._exit(exit_status(error))
    except KeyboardInterrupt as late:
        if signals:
            _leave(partial(_raise, late), signals - 1)


def _raise(error: BaseException) -> None:
    raise error


def duration_of(*words: object, ok: tuple[int, ...] = (0,)) -> float:
    """How many seconds the command takes when nothing ends it, and it need not import anything."""
    import_all()
    begun = time.perf_counter()
    assert status_of(start(*words)) in ok
    return time.perf_counter() - begun


def status_of(process: int) -> int:
    """What a process ended with; negative: the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def wait_for_journal(image: Path, deadline: float) -> None:
    """Returns when the image has a journal that is being written or is hot."""
    folder = journal_folder(image)
    while time.monotonic() < deadline:
        with suppress(FileNotFoundError):
            if any(path.suffix in (".tmp", ".hot") for path in folder.iterdir()):
                return
        time.sleep(0.0005)  # the command needs the processor more
