"""Ctrl-C while a command works: noticed for certain, and told where the command can end."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    Handler = Callable[[int, FrameType | None], None]


def let_it_wait(number: int, frame: FrameType | None) -> None:
    """For work that ends between two steps only: what a Ctrl-C does until it is asked for."""


@contextmanager
def noticed_interrupts(meanwhile: Handler = signal.default_int_handler) -> Iterator[Callable[[], None]]:
    """Notices every Ctrl-C; what is yielded raises KeyboardInterrupt if there was one.

    Python drops a KeyboardInterrupt that comes while it closes a file of its own accord, as it does here all the time.

    Args:
        meanwhile: what a Ctrl-C does when it comes; it raises KeyboardInterrupt there and then unless given.
    """
    came: list[int] = []

    def notice(number: int, frame: FrameType | None) -> None:
        came.append(number)
        meanwhile(number, frame)

    def interrupted() -> None:
        if came:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, notice)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)
