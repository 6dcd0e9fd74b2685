"""Worker processes with a budget: an image that takes too long costs its worker, not the batch.

What an image can make a reader do is bounded everywhere; this is for what was overlooked, in our readers or in others'.
A worker over its time is killed, wherever it hangs; one that asks for more memory than it may have is refused it.
"""

from __future__ import annotations

import resource
import signal
from concurrent.futures import Executor
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.forkserver import ensure_running
from typing import TYPE_CHECKING, Any

from vmrescue.errors import UsageError, WriteError, missing_extra

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

MEMORY = 2 << 30  # bytes of a worker's address space beyond what its code takes; a diagnosis takes some hundred MB
CODE = 1 << 30  # bytes: the interpreter, and the libraries that it maps


class TimedPool(Executor):
    """An executor whose futures raise TimeoutError when `seconds` have passed since their work began.

    Args:
        workers: how many processes.
        seconds: for each piece of work, by the clock.
        memory: bytes that a worker may have.

    Its processes import the program anew: what a script does stands under ``if __name__ == "__main__":``.

    Raises:
        UnsupportedError: Pebble is not installed.
        UsageError: `seconds` is no number above 0.
        WriteError: there is no place to write what processes need to talk to one another.
    """

    def __init__(self, workers: int, seconds: float, memory: int = MEMORY) -> None:
        if not isinstance(seconds, int | float) or not seconds > 0:
            raise UsageError(f"a time-out is a number of seconds above 0, not {seconds!r:.80}")
        try:
            from pebble import ProcessPool
        except ImportError as error:
            raise missing_extra("--timeout is kept with Pebble", "fleet") from error
        self.seconds = seconds
        context = get_context("forkserver")
        with starting():
            self._pool = ProcessPool(max_workers=workers, context=context, initializer=_limit, initargs=(memory,))

    def submit(self, function: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = self._pool.schedule(function, args=args, kwargs=named, timeout=self.seconds)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Ends the workers; with `cancel_futures`, or without waiting, whatever they do."""
        if cancel_futures or not wait:
            self._pool.stop()
        else:
            self._pool.close()
        if wait:
            self._pool.join()


@contextmanager
def starting() -> Iterator[None]:
    """Around the start of processes: raises WriteError where they have no place for a socket and their locks."""
    try:
        ensure_running()
        yield
    except OSError as error:
        why = "there is none" if isinstance(error, FileNotFoundError) else error.strerror
        raise WriteError(
            "several processes (--jobs, --timeout) need /dev/shm and a folder for temporary files (TMPDIR) that can be"
            f" written: {why}; one image after another needs neither"
        ) from error


def _limit(memory: int) -> None:
    """In a worker: its memory; and Ctrl-C is for the process that gathers the results."""
    resource.setrlimit(resource.RLIMIT_AS, (CODE + memory, resource.RLIM_INFINITY))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
