"""Signals that end a program: Ctrl-C, a supervisor's SIGTERM, a terminal that is closed.

Python raises what they mean (KeyboardInterrupt, SystemExit) between any two steps of the program, or drops it where it
comes while a file is closed. Work that may not be cut in two holds them back, and lets them come where it can end.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
BY_SIGNAL = 128  # and the signal's number: what shells return for a program that a signal ended


class Interrupted(KeyboardInterrupt):
    """A signal that the command line takes for what Ctrl-C is; `number` says which."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def exit_status(error: KeyboardInterrupt) -> int:
    """130 for Ctrl-C, 143 for SIGTERM."""
    return BY_SIGNAL + (error.number if isinstance(error, Interrupted) else signal.SIGINT)


def outcome_of(error: BaseException) -> str:
    """What was noted on the way of an interrupt, for the person at the terminal: whether anything was changed."""
    return "".join(f"; {note}" for note in getattr(error, "__notes__", []))


class _Waiting:
    """The signals that came while they were held, and what each would have done."""

    def __init__(self) -> None:
        self._handlers: dict[int, Any] = {}
        self._came: list[int] = []
        self._over = False

    def hold(self) -> None:
        for number in ENDING:
            handler = signal.getsignal(number)
            if handler not in (signal.SIG_IGN, None):  # None: a handler that Python could not put back
                self._handlers[number] = handler
                signal.signal(number, self._notice)

    def release(self) -> None:
        self._over = True  # first: a signal may come before all handlers are those from before
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self.deliver()

    def deliver(self) -> None:
        """Does what the signals that came mean."""
        while self._came:
            self._act(self._came.pop(0), None)

    def forget(self) -> None:
        self._came.clear()

    def _notice(self, number: int, frame: FrameType | None) -> None:
        if self._over:
            self._act(number, frame)
        else:
            self._came.append(number)

    def _act(self, number: int, frame: FrameType | None) -> None:
        handler = self._handlers[number]
        if not callable(handler):
            raise SystemExit(BY_SIGNAL + number)  # the system's own handler ends the program without cleaning up
        handler(number, frame)


_WAITING: ContextVar[_Waiting | None] = ContextVar("waiting signals", default=None)


@contextmanager
def held() -> Iterator[None]:
    """While this lasts, a signal that ends the program waits for the next `checkpoint`, or for the end of the block.

    Of blocks in each other the outermost counts. Only the main thread is ever interrupted: in others there is nothing
    to hold.
    """
    if _WAITING.get() is not None or threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting = _Waiting()
    token = _WAITING.set(waiting)
    try:
        waiting.hold()
        yield
    except (KeyboardInterrupt, SystemExit):
        waiting.forget()  # it ends already: a second signal would hide what was noted of the first
        raise
    finally:
        _WAITING.reset(token)
        waiting.release()


def checkpoint() -> None:
    """Where work that holds signals can end: one that has come does what it means, and mostly raises."""
    waiting = _WAITING.get()
    if waiting is not None:
        waiting.deliver()
