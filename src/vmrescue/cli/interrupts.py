"""Signals that end a command: none is missed, and each ends it after it has cleaned up."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from vmrescue.interrupts import ENDING, Interrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType


def end_in_good_order() -> None:
    """From here on a supervisor's SIGTERM and a closed terminal do what Ctrl-C does; what is ignored stays so."""
    for number in ENDING:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _end)


def _end(number: int, frame: FrameType | None) -> None:
    """Ends the command. What is torn down half-made on the way out says nothing: Python would print a traceback."""
    sys.unraisablehook = _say_nothing
    raise Interrupted(number)


def _say_nothing(unraisable: sys.UnraisableHookArgs, /) -> None:
    pass


@contextmanager
def stopping_where_it_can(said: str) -> Iterator[Callable[[], int]]:
    """The first signal that ends the command is kept, for work to stop where it can; a second does what it means.

    What is yielded tells the number of the signal that came, or 0. `said` is told to the person who interrupted.
    """
    came: list[int] = []
    before: dict[int, Any] = {}

    def notice(number: int, frame: FrameType | None) -> None:
        came.append(number)
        if len(came) > 1:
            before[number](number, frame)
        os.write(2, f"vmrescue: interrupted: {said}\n".encode())  # in a handler, where a stream might be in use

    for number in map(int, ENDING):
        if callable(handler := signal.getsignal(number)):
            before[number] = handler
            signal.signal(number, notice)
    try:
        yield lambda: came[0] if came else 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def noticed_interrupts() -> Iterator[Callable[[], None]]:
    """Notices every signal that ends the command, which it does there and then; what is yielded does it if one came.

    Python drops a KeyboardInterrupt that comes while it closes a file of its own accord, as it does here all the time.
    """
    came: list[int] = []
    before: dict[int, Any] = {}

    def notice(number: int, frame: FrameType | None) -> None:
        came.append(number)
        before[number](number, frame)

    def interrupted() -> None:
        if came:
            before[came[0]](came[0], None)

    for number in map(int, ENDING):
        if callable(handler := signal.getsignal(number)):
            before[number] = handler
            signal.signal(number, notice)
    try:
        yield interrupted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
