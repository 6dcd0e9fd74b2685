"""Coroutines from synchronous code, on fsspec's event loop, which runs in a thread of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from concurrent.futures import Future
    from typing import Any

Answer = TypeVar("Answer")


def start(coroutine: Coroutine[Any, Any, Answer]) -> Future[Answer]:
    """Starts a coroutine."""
    import asyncio

    from fsspec.asyn import get_loop

    return asyncio.run_coroutine_threadsafe(coroutine, get_loop())


def run(coroutine: Coroutine[Any, Any, Answer]) -> Answer:
    """The result of a coroutine. Ctrl-C waits for it, because a request that was sent cannot be cancelled."""
    from concurrent.futures import wait

    future = start(coroutine)
    try:
        return future.result()
    finally:
        wait([future])
