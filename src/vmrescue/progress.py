"""How far something has got, told to whoever listens: the command line shows a bar, a script what it likes.

What takes long says so itself (`work`), whoever asked for it. Nobody need listen, and then it costs next to nothing:

    with on_progress(show):
        vmrescue.repair("os.vhd")
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    OnProgress = Callable[["Progress | None"], None]

__all__ = ["Progress", "on_progress"]

OFTEN = 0.05  # seconds: a listener is not told more often


@dataclass(frozen=True)
class Progress:
    """What is being done now.

    Attributes:
        deed: what, in words: ``copying``.
        done: how much of it is done, in units.
        total: of how much; None where that is not known.
        unit: ``byte``, or the name of what is counted, in the singular.
    """

    deed: str
    done: int = 0
    total: int | None = None
    unit: str = "byte"


_LISTENER: ContextVar[OnProgress | None] = ContextVar("progress listener", default=None)
_WORK: ContextVar[Work | None] = ContextVar("what is being done", default=None)


@contextmanager
def on_progress(listener: OnProgress | None) -> Iterator[None]:
    """While this lasts, `listener` is told what this thread is doing: of works within each other the innermost.

    It is told None when nothing is being done any more. What it raises ends the work.
    """
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


class Work:
    """One work that is going on."""

    def __init__(self, deed: str, total: int | None, unit: str) -> None:
        self._deed = deed
        self._total = total
        self._unit = unit
        self._done = 0
        self._listener = _LISTENER.get()
        self._told = 0.0

    def advance(self, count: int = 1) -> None:
        """So much more is done."""
        self.reach(self._done + count)

    def reach(self, done: int, total: int | None = None) -> None:
        """So much is done in all; `total` where it is known only now."""
        self._done = done
        if total is not None:
            self._total = total
        if self._listener and time.monotonic() - self._told >= OFTEN:
            self.tell()

    def tell(self) -> None:
        """Tells how far it has got."""
        if self._listener:
            self._told = time.monotonic()
            self._listener(Progress(self._deed, self._done, self._total, self._unit))

    def end(self, outer: Work | None) -> None:
        """What goes on now is the work that it was a part of, if any."""
        if outer:
            outer.tell()
        elif self._listener:
            self._listener(None)


@contextmanager
def work(deed: str, total: int | None = None, unit: str = "byte") -> Iterator[Work]:
    """Something that may take long. What is yielded is told how far it has got, as often as one likes."""
    outer = _WORK.get()
    now = Work(deed, total, unit)
    token = _WORK.set(now)
    now.tell()
    try:
        yield now
    finally:
        _WORK.reset(token)
        now.end(outer)


def counting(pieces: Iterable[bytes], now: Work) -> Iterator[bytes]:
    """The same pieces; each counts as done when the next is asked for."""
    for piece in pieces:
        yield piece
        now.advance(len(piece))
