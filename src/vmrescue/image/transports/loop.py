"""Coroutines from synchronous code, on an event loop that runs in a thread of its own: fsspec's, if that is installed.

What holds an account's credentials for fsspec belongs to its loop.
"""

from __future__ import annotations

import os
import threading
from functools import cache
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Coroutine
    from concurrent.futures import Future
    from typing import Any

Answer = TypeVar("Answer")


def start(coroutine: Coroutine[Any, Any, Answer]) -> Future[Answer]:
    """Starts a coroutine. One that an interrupt keeps from that is closed: Python would print a warning about it."""
    try:
        import asyncio

        return asyncio.run_coroutine_threadsafe(coroutine, _loop())
    except BaseException:
        coroutine.close()
        raise


def _loop() -> AbstractEventLoop:
    try:
        from fsspec.asyn import get_loop
    except ImportError:
        return _own_loop(os.getpid())
    return get_loop()  # type: ignore[no-any-return]  # fsspec has no types


@cache
def _own_loop(process: int) -> AbstractEventLoop:
    """The loop of a process; one that was forked needs another, because threads are not."""
    import asyncio

    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True, name="requests").start()
    return loop


def run(coroutine: Coroutine[Any, Any, Answer]) -> Answer:
    """The result of a coroutine. Ctrl-C waits for it, because a request that was sent cannot be cancelled."""
    from concurrent.futures import wait

    future = start(coroutine)
    try:
        return future.result()
    finally:
        wait([future])
