"""Warnings about images: every command that opens an image shows them.

Opening an image reports its warnings here; the command line listens and prints them.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Listener = Callable[[str, str], None]  # (the image's path as it is shown, warning)

_LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Inside the block, warnings of images that are opened in this thread go to `listener`."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def tell(path: str, warnings: Iterable[str]) -> None:
    """Reports the warnings of an image; the same warning may be reported more than once."""
    listener = _LISTENER.get()
    if listener is not None:
        for warning in warnings:
            listener(path, warning)
