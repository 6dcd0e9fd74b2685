"""Holds back signals that end a program: Ctrl-C, a supervisor's SIGTERM, a closed terminal.

Python raises their exceptions (KeyboardInterrupt, SystemExit) between any two steps of the program, and may lose them
while a file is being closed. Work that must not be interrupted holds signals back and lets them through where it can
end.
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
BY_SIGNAL = 128  # plus the signal's number: the exit status of a program that a signal ended


class Interrupted(KeyboardInterrupt):
    """Another signal that the command line treats like Ctrl-C; `number` says which."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def exit_status(error: KeyboardInterrupt) -> int:
    """The exit status: 130 for Ctrl-C, 143 for SIGTERM."""
    return BY_SIGNAL + (error.number if isinstance(error, Interrupted) else signal.SIGINT)


def outcome_of(error: BaseException) -> str:
    """The notes of an interrupt for the user: whether anything was changed."""
    return "".join(f"; {note}" for note in getattr(error, "__notes__", []))


class _Waiting:
    """The signals that arrived while they were held back, and their handlers."""

    def __init__(self) -> None:
        self._handlers: dict[int, Any] = {}
        self._came: list[int] = []
        self._over = False

    def hold(self) -> None:
        for number in ENDING:
            handler = signal.getsignal(number)
            if handler not in (signal.SIG_IGN, None):  # None: not installed from Python, so it cannot be restored
                self._handlers[number] = handler
                signal.signal(number, self._notice)

    def release(self) -> None:
        self._over = True  # first, because a signal may arrive before all handlers are restored
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self.deliver()

    def deliver(self) -> None:
        """Calls the handlers of the signals that arrived."""
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
            raise SystemExit(BY_SIGNAL + number)  # the default handler would end the program without cleaning up
        handler(number, frame)


_WAITING: ContextVar[_Waiting | None] = ContextVar("waiting signals", default=None)


@contextmanager
def held() -> Iterator[None]:
    """Inside the block, a signal that ends the program waits for the next `checkpoint` or the end of the block.

    Of nested blocks only the outermost has an effect. Only the main thread is ever interrupted; in other threads this
    does nothing.
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
        waiting.forget()  # the program ends already; a second signal would hide the notes of the first
        raise
    finally:
        _WAITING.reset(token)
        waiting.release()


def checkpoint() -> None:
    """Marks a place where work may end: calls the handlers of signals that arrived, which usually raise."""
    waiting = _WAITING.get()
    if waiting is not None:
        waiting.deliver()
