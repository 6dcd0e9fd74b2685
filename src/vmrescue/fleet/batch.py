"""Work on images spread over an executor: a bounded number under way, results as they come, no image lost.

    submitted ──> under way ──> result
                     │ the worker dies
                     v
                 suspects ──> each alone, in a process of its own ──> result, or the error of the one that kills

A dead process breaks its whole pool and fails every image that was under way in it, guilty or not. So each of these is
tried again alone; the pool is then replaced by one like it. Executors that mend themselves (Dask's) need only a retry.
What is done to an image is a `Work`: the examination of a scan, or a repair.
"""

from __future__ import annotations

import os
import time
from collections import deque
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, ProcessPoolExecutor, wait
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

from vmrescue.arguments import typed
from vmrescue.checks import Policy
from vmrescue.checks.rules import chosen
from vmrescue.errors import UsageError
from vmrescue.fleet.examination import Examination
from vmrescue.fleet.result import ImageError
from vmrescue.fleet.timed_pool import TimedPool
from vmrescue.image.containers.parents import parent_folder, parents_in
from vmrescue.log import logger

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from concurrent.futures import Future

    from vmrescue.fleet.result import ScanResult

R = TypeVar("R")
Result = TypeVar("Result", covariant=True)
LOG = logger("fleet")
IN_FLIGHT = 64  # enough to keep a large machine busy; an image under way costs a path and a future


@typed
def scan(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    executor: Executor | None = None,
    policy: Policy | None = None,
    *,
    only: Collection[str] | None = None,
    skip: Collection[str] = (),
    in_flight: int = IN_FLIGHT,
    timeout: float | None = None,
    sha256: bool = False,
    parent_dir: str | os.PathLike[str] | None = None,
) -> Iterator[ScanResult]:
    """Diagnoses many images, and yields each one's result as it is done: not in the order given.

    An image that cannot be read is a result with an `error`. `paths` is read as the scan goes on, so it may be a
    generator of any length. Leaving the loop early cancels what has not begun.

    Args:
        paths: image files, block devices, URLs; one that is given twice is examined twice.
        executor: where to work: any `concurrent.futures.Executor`, such as a ProcessPoolExecutor or Dask's
            ``Client.get_executor()``; in this process and thread without one. It is not shut down.
        policy: what counts as right; `Policy.azure()` unless given.
        only, skip: ids of the checks to run, and not to run.
        in_flight: how many images are given to the executor at once.
        timeout: seconds for each image, whose result is then an `error` of the kind ``TimedOut``. The work is done in
            a process of its own, which is killed; with an `executor` that can do so, a `TimedPool`, give it there. A
            script needs ``if __name__ == "__main__":`` for it.
        sha256: whether each result is to tell the SHA-256 of the image's whole file, which is then read once, but for
            its holes. An image behind a URL is an `error` then.
        parent_dir: where differencing disks' parents are, if neither beside them nor where they say.

    Raises:
        UsageError: there is no check of that id; or a timeout for an executor that keeps none.
    """
    if isinstance(paths, str | os.PathLike):
        paths = [paths]  # a lone path is surely not meant as a list of letters
    chosen(only, skip)  # a check that there is not is said at once
    with parents_in(parent_dir):
        parents = parent_folder()
    examination = Examination(policy or Policy.azure(), tuple(only or ()), tuple(skip), parents, sha256)
    images = (os.fspath(path) for path in paths)
    if timeout is not None:
        if executor is not None:
            raise UsageError("a timeout is kept by vmrescue's own processes (fleet.TimedPool), not by this executor")
        return _timed(examination, images, timeout)
    return spread(examination, executor, images, in_flight)


class Work(Protocol[Result]):
    """What is done to each image of many; it can be pickled."""

    def __call__(self, image: str, /) -> Result:
        """Does it; it never raises."""

    def failed(self, image: str, error: ImageError, seconds: float, /) -> Result:
        """The result of an image whose worker was lost, or took too long."""


def spread(work: Work[R], executor: Executor | None, images: Iterator[str], in_flight: int) -> Iterator[R]:
    """The result of each image as it is done; without an executor, one after the other in this process."""
    return map(work, images) if executor is None else _Spread(work, executor, max(in_flight, 1)).results(images)


def _timed(examination: Examination, images: Iterator[str], seconds: float) -> Iterator[ScanResult]:
    """One image after the other, in a process that does not outlive one that takes too long."""
    pool = TimedPool(1, seconds)
    try:
        yield from _Spread(examination, pool, 1).results(images)
    finally:
        pool.shutdown(cancel_futures=True)


class _Try(NamedTuple):
    image: str
    again: bool


class _Spread(Generic[R]):
    """Work on images over an executor."""

    def __init__(self, work: Work[R], executor: Executor, in_flight: int) -> None:
        self._work = work
        self._executor = executor
        self._in_flight = in_flight
        self._under_way: dict[Future[R], _Try] = {}
        self._retries: deque[str] = deque()  # lost once, by an executor that is still sound
        self._own: ProcessPoolExecutor | None = None  # in place of the caller's pool, once that is broken

    def results(self, images: Iterator[str]) -> Iterator[R]:
        try:
            while self._fill(images):
                done, _ = wait(self._under_way, return_when=FIRST_COMPLETED)
                suspects: list[str] = []
                for future in done:
                    yield from self._collect(future, suspects)
                if suspects:
                    yield from self._mend(suspects)
        finally:
            for future in self._under_way:
                future.cancel()
            if self._own:
                self._own.shutdown(wait=False, cancel_futures=True)

    def _fill(self, images: Iterator[str]) -> bool:
        """Submits up to the bound; whether anything is under way then."""
        while len(self._under_way) < self._in_flight:
            again = bool(self._retries)
            image = self._retries.popleft() if again else next(images, None)
            if image is None:
                break
            try:
                future = self._executor.submit(self._work, image)
            except BrokenExecutor:
                self._replace()
                future = self._executor.submit(self._work, image)
            self._under_way[future] = _Try(image, again)
        return bool(self._under_way)

    def _collect(self, future: Future[R], suspects: list[str]) -> Iterator[R]:
        """The result of an image; where its worker was lost, the image is kept for another try instead."""
        this = self._under_way.pop(future)
        try:
            result = future.result()
        except BrokenExecutor:
            suspects.append(this.image)
        except TimeoutError:
            seconds = getattr(self._executor, "seconds", 0.0)
            yield self._work.failed(this.image, _timed_out(seconds), seconds)
        except Exception as error:  # noqa: BLE001 - work never raises: the executor lost its worker
            if this.again:
                yield self._work.failed(this.image, _lost(error), 0.0)
            else:
                self._retries.append(this.image)
        else:
            yield result

    def _mend(self, suspects: list[str]) -> Iterator[R]:
        """After a broken pool: what was under way in it, one at a time, and a new pool for the rest."""
        wait(self._under_way)
        for future in list(self._under_way):
            yield from self._collect(future, suspects)
        self._replace()
        alone: ProcessPoolExecutor | None = None
        try:
            for image in suspects:
                alone = alone or _like(self._executor, 1)
                begun = time.perf_counter()
                try:
                    yield alone.submit(self._work, image).result()
                except BrokenExecutor as error:
                    alone = None
                    yield self._work.failed(image, _lost(error), time.perf_counter() - begun)
        finally:
            if alone:
                alone.shutdown()

    def _replace(self) -> None:
        """A new process pool in place of the broken one. Raises BrokenExecutor for an executor of another kind."""
        if not isinstance(self._executor, ProcessPoolExecutor):
            raise BrokenExecutor(f"the executor {self._executor!r} is broken, and only process pools can be replaced")
        self._executor = self._own = _like(self._executor)


def _like(executor: Any, workers: int | None = None) -> ProcessPoolExecutor:
    """A process pool that starts its processes as `executor` did: as many, unless `workers` says otherwise.

    A pool offers no public way to ask how it was made; the names are the same from Python 3.7 to 3.14.
    """
    return ProcessPoolExecutor(
        workers or executor._max_workers,
        mp_context=executor._mp_context,
        initializer=executor._initializer,
        initargs=executor._initargs,
    )


def _timed_out(seconds: float) -> ImageError:
    return ImageError("TimedOut", f"timed out: it was not done within {seconds:g} s")


def _lost(error: Exception) -> ImageError:
    LOG.info("a worker was lost: %r", error)
    return ImageError("WorkerLost", "the process that worked on it died, twice")
