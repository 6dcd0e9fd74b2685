"""What the rooms tell their loggers, on stderr (--verbose) or in a file (--log-file)."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vmrescue.cli.progress import wipe
from vmrescue.errors import WriteError
from vmrescue.files import must_be_ours
from vmrescue.log import PACKAGE
from vmrescue.printable import printable

if TYPE_CHECKING:
    from typing import TextIO

    import click

LINE = "%(levelname)-5s %(name)s: %(message)s"
DATED = f"%(asctime)s {LINE}"
CENTURY = b"20"  # with which a line of a log begins


class _Printable(logging.Formatter):
    """Names out of an image are in what is told."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


class _File(logging.FileHandler):
    """A log that finds no room says so once, and ends there: what is done for the image goes on."""

    def __init__(self, path: str) -> None:
        super().__init__(path, encoding="utf-8", errors="backslashreplace")
        self._failed = False

    def emit(self, record: logging.LogRecord) -> None:
        if not self._failed:
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        self._fail()

    def close(self) -> None:
        try:
            super().close()
        except OSError:
            self._fail()

    def _fail(self) -> None:
        from vmrescue.cli.terminal import say

        if not self._failed:
            self._failed = True
            why = getattr(sys.exc_info()[1], "strerror", None) or sys.exc_info()[1]
            say(printable(f"note: the log ends here: cannot write {self.baseFilename}: {why}"), err=True)


class _Terminal(logging.StreamHandler):  # type: ignore[type-arg]
    """Says each thing once: a disk is looked at again after every step, and mostly found as it was."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        if text not in self._said:
            self._said.add(text)
            wipe()
            super().emit(record)


def tell_terminal(ctx: click.Context, verbosity: int) -> None:
    """For as long as the command runs: what is decided, and from 2 on what is looked at, too."""
    _listen(ctx, _Terminal(sys.stderr), logging.INFO if verbosity == 1 else logging.DEBUG, LINE)


def tell_file(ctx: click.Context, path: str) -> None:
    """For as long as the command runs, all of it, added to the file.

    Raises:
        RefusedError: there is such a file, and it is no log.
        WriteError: the operating system would not take it.
    """
    must_be_ours(Path(path).resolve(), [CENTURY], "log")  # which follows links
    try:
        handler = _File(path)
    except OSError as error:
        raise WriteError(f"cannot write {path}: {error.strerror}") from error
    ctx.call_on_close(handler.close)
    _listen(ctx, handler, logging.DEBUG, DATED)


def _listen(ctx: click.Context, handler: logging.Handler, level: int, line: str) -> None:
    ours, before = logging.getLogger(PACKAGE), logging.getLogger(PACKAGE).level
    handler.setLevel(level)
    handler.setFormatter(_Printable(line))
    ours.addHandler(handler)
    ours.setLevel(min(level, before or logging.CRITICAL))

    def stop() -> None:
        ours.removeHandler(handler)
        ours.setLevel(before)

    ctx.call_on_close(stop)
