"""What is odd about an image is told by every command that opens it.

Every opened image tells its warnings here; the command line listens, and shows them beside any answer.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Listener = Callable[[str, str], None]  # the image's path as it is shown, and a warning of it

_LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """While this lasts, the warnings of images that are opened in this thread are told to `listener`."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def tell(path: str, warnings: Iterable[str]) -> None:
    """Tells the warnings of an image; the same one perhaps more than once."""
    listener = _LISTENER.get()
    if listener is not None:
        for warning in warnings:
            listener(path, warning)
