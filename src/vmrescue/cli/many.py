"""What commands on many images share: which images, where the work is done, how far it is, where results are kept."""

from __future__ import annotations

import functools
import glob
import os
import signal
from contextlib import contextmanager
from pathlib import Path
from stat import S_IFDIR, S_IFREG
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from vmrescue.errors import ReadError, UsageError, missing_extra

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Executor

    from vmrescue.cli.options import Command

IN_EVERY_WORKER = [
    "vmrescue.checks",
    "vmrescue.image.containers.vhd_chain",
]  # imported once, before the workers are forked


class FleetOptions(NamedTuple):
    """How many images are worked on."""

    recursive: bool
    jobs: int
    scheduler: str | None
    target: Path | None
    resume: bool
    force: bool = False

    def many(self, images: Sequence[str | Path]) -> bool:
        """Whether more than one image is meant, or their results are to be kept."""
        asked = self.recursive or self.jobs > 1 or self.scheduler or self.target or self.resume
        return bool(asked) or len(images) != 1 or _means_several(os.fspath(images[0]))


def _means_several(image: str) -> bool:
    from vmrescue.files import kind_of
    from vmrescue.image.reference import Reference

    if Reference.of(image).is_remote:  # a question mark begins a signature there
        return False
    kind = kind_of(image)
    return kind == S_IFDIR or (kind != S_IFREG and (image.startswith("@") or glob.has_magic(image)))


FLEET_OPTIONS = [
    click.option("--recursive", "-r", is_flag=True, help="Look into the folders below a folder, too."),
    click.option("--jobs", "-j", type=click.IntRange(1), default=1, show_default=True, help="How many processes work."),
    click.option("--scheduler", metavar="URL", help="Work on this Dask cluster (tcp://HOST:PORT) instead."),
    click.option(
        "--output",
        "-o",
        "target",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Keep the results in this file: .jsonl, .csv, .parquet or .html.",
    ),
    click.option("--resume", is_flag=True, help="Keep what the output holds, and leave the images in it out."),
    click.option("--force", is_flag=True, help="Write an output that is there anew: the results in it are lost."),
]


def fleet_options(command: Command) -> Command:
    """Adds the options of many images; the command gets them as one argument, `fleet`."""

    @functools.wraps(command)
    def bundled(
        *args: Any,
        recursive: bool,
        jobs: int,
        scheduler: str | None,
        target: Path | None,
        resume: bool,
        force: bool,
        **rest: Any,
    ) -> Any:
        if resume and target is None and rest.get("address") is None:
            raise UsageError("--resume needs the --output (or the --to) that it goes on with")
        if force and (target is None or resume):
            raise UsageError("--force writes an --output anew: it needs --output, and --resume left out")
        return command(*args, fleet=FleetOptions(recursive, jobs, scheduler, target, resume, force), **rest)

    for option in reversed(FLEET_OPTIONS):
        bundled = option(bundled)
    return bundled


@contextmanager
def an_executor(
    fleet: FleetOptions, timeout: float | None = None, preload: Sequence[str] = ()
) -> Iterator[Executor | None]:
    """Where the work is done: None for this process. `preload` are further modules that each worker needs."""
    if fleet.scheduler and timeout:
        raise UsageError("--timeout is kept by processes of this machine, not by a cluster")
    if timeout:
        from vmrescue.fleet import TimedPool

        timed = TimedPool(fleet.jobs, timeout)
        try:
            yield timed
        finally:
            timed.shutdown(cancel_futures=True)
    elif fleet.scheduler:
        with _cluster(fleet.scheduler) as executor:
            yield executor
    elif fleet.jobs == 1:
        yield None
    else:
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context

        from vmrescue.fleet.timed_pool import starting

        context = get_context("forkserver")
        context.set_forkserver_preload([*IN_EVERY_WORKER, *preload])
        with starting():
            pool = ProcessPoolExecutor(fleet.jobs, mp_context=context, initializer=ignore_interrupt)
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)


def ignore_interrupt() -> None:
    """In a worker: Ctrl-C is for the process that gathers the results."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _cluster(scheduler: str) -> Iterator[Executor]:
    try:
        from distributed import Client
    except ImportError as error:
        raise missing_extra("a cluster is used with Dask's distributed", "fleet") from error
    try:
        client = Client(scheduler, timeout=15)
    except (OSError, ValueError) as error:
        raise ReadError(f"cannot reach the scheduler {scheduler}: {error}") from error
    with client:
        yield client.get_executor()


def not_in(done: frozenset[str], images: Iterator[str], advance: Callable[[], None]) -> Iterator[str]:
    """The images whose results are not held yet; for the others how far it is moves on."""
    from vmrescue.fleet.sources import identity
    from vmrescue.image.reference import Reference

    known = {identity(image) for image in done}
    for image in images:
        if identity(Reference.of(image).shown) not in known:
            yield image
        else:
            advance()
