"""Reports the progress of long work to a listener, such as the command line's progress bar.

Long work reports itself with `work`. Without a listener this costs almost nothing:

    with on_progress(show):
        vmrescue.repair("os.vhd")
"""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING

from vmrescue.arguments import typed
from vmrescue.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    OnProgress = Callable[["Progress | None"], None]

__all__ = ["Progress", "on_progress"]

OFTEN = 0.05  # seconds: a listener is not told more often


@dataclass(frozen=True)
class Progress:
    """The present state of a work.

    Attributes:
        deed: what is done, in words: ``copying``.
        done: units done.
        total: units in all; None if not known.
        unit: ``byte``, or the singular name of what is counted.
    """

    deed: str
    done: int = 0
    total: int | None = None
    unit: str = "byte"


_LISTENER: ContextVar[OnProgress | None] = ContextVar("progress listener", default=None)
_WORK: ContextVar[Work | None] = ContextVar("what is being done", default=None)


@typed
@contextmanager
def on_progress(listener: OnProgress | None) -> Iterator[None]:
    """Inside the block, `listener` gets the progress of this thread's work; of nested works, the innermost.

    It gets None when no work goes on any more. If it raises, the work ends.
    """
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


class Work:
    """One running work."""

    def __init__(self, deed: str, total: int | None, unit: str) -> None:
        self._deed = deed
        self._total = total
        self._unit = unit
        self._done = 0
        self._listener = _LISTENER.get()
        self._told = 0.0
        self._told_done = 0

    def advance(self, count: int = 1) -> None:
        """Adds `count` units to what is done."""
        self.reach(self._done + count)

    def reach(self, done: int, total: int | None = None) -> None:
        """Sets the units done, and `total` if it became known."""
        self._done = done
        if total is not None:
            self._total = total
        if self._listener and time.monotonic() - self._told >= OFTEN:
            self.tell()

    def tell(self) -> None:
        """Reports the progress to the listener."""
        if self._listener:
            self._told, self._told_done = time.monotonic(), self._done
            self._listener(Progress(self._deed, self._done, self._total, self._unit))

    def tell_last(self) -> None:
        """Reports how far it got, if the last report was too short ago to say so."""
        if self._done != self._told_done:
            self.tell()

    def end(self, outer: Work | None) -> None:
        """Ends this work; the outer work, if any, goes on."""
        if outer:
            outer.tell()
        elif self._listener:
            self._listener(None)


@contextmanager
def work(deed: str, total: int | None = None, unit: str = "byte") -> Iterator[Work]:
    """Marks long work. The body reports progress to the yielded object, as often as it likes."""
    outer = _WORK.get()
    now = Work(deed, total, unit)
    token = _WORK.set(now)
    try:
        now.tell()
        yield now
        now.tell_last()
    except BaseException:
        _WORK.reset(token)
        with suppress(Exception):  # what ended the work is what counts, and not what a listener makes of that
            now.end(outer)
        raise
    _WORK.reset(token)
    now.end(outer)


def counting(pieces: Iterable[bytes], now: Work) -> Iterator[bytes]:
    """Passes pieces on; each counts as done when the next is requested."""
    for piece in pieces:
        yield piece
        now.advance(len(piece))
