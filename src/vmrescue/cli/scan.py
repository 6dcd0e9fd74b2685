"""vmrescue scan"""

from __future__ import annotations

import json
import signal
import sys
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vmrescue.cli.interrupts import noticed_interrupts
from vmrescue.cli.options import check_options, format_option, make_policy, parent_option, policy_options, quiet_option
from vmrescue.cli.progress import wipe
from vmrescue.cli.terminal import say
from vmrescue.errors import ReadError, UsageError, missing_extra
from vmrescue.interrupts import exit_status
from vmrescue.progress import on_progress, work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor

    from vmrescue.fleet import ScanResult

FINDINGS, UNREADABLE = 1, 3  # exit statuses
IN_EVERY_WORKER = [
    "vmrescue.checks",
    "vmrescue.image.containers.vhd_chain",
]  # imported once, before the workers are forked


@click.command()
@click.argument("paths", nargs=-1, required=True)
@click.option("--recursive", "-r", is_flag=True, help="Look into the folders below a folder, too.")
@click.option("--jobs", "-j", type=click.IntRange(1), default=1, show_default=True, help="How many processes work.")
@click.option(
    "--timeout",
    type=click.FloatRange(0.1),
    metavar="SECONDS",
    help="For each image: then its worker is killed, and it counts as not readable.",
)
@click.option("--scheduler", metavar="URL", help="Work on this Dask cluster (tcp://HOST:PORT) instead.")
@click.option(
    "--output",
    "-o",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keep the results in this file: .jsonl, .csv, .parquet or .html.",
)
@click.option("--resume", is_flag=True, help="Keep what the output holds, and leave the images in it out.")
@parent_option
@policy_options
@check_options
@format_option
@quiet_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    paths: tuple[str, ...],
    recursive: bool,
    jobs: int,
    scheduler: str | None,
    timeout: float | None,
    target: Path | None,
    resume: bool,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    output: str,
    quiet: bool,
    **policy: Any,
) -> None:
    """Diagnose many images: files, folders, globs, URLs, and @LIST.txt (one of these a line); none is written to.

    Exit status: 3 where an image could not be read, else 1 where one has findings of warning or critical, or a check
    that could not be run, else 0; of the images of this run, without those that --resume leaves out.
    """
    from vmrescue.fleet import scan
    from vmrescue.fleet.outputs import open_output
    from vmrescue.fleet.sources import STANDARD_INPUT, images
    from vmrescue.image.reference import Reference

    if resume and target is None:
        raise UsageError("--resume needs the --output that is to be resumed")
    with ExitStack() as opened:
        kept = open_output(target, resume, (Reference.of(path).shown for path in paths)) if target else None
        if kept:
            opened.callback(kept.close)
        done = frozenset(kept.images()) if kept and resume else frozenset()
        visible = not quiet and sys.stderr.isatty()
        total = sum(1 for _ in images(paths, recursive)) if visible and STANDARD_INPUT not in paths else None
        advance = opened.enter_context(work("scanning", total, "image")).advance
        opened.enter_context(on_progress(None))  # of each image nothing: how many are done says enough
        executor = opened.enter_context(_executor(jobs, scheduler, timeout))
        wanted = _not_in(done, images(paths, recursive), advance)
        results = scan(wanted, executor, make_policy(**policy), only=only, skip=skip)
        keep = kept.add if kept else _no_output if quiet else _print_json if output == "json" else _print_line
        counts, interrupted = _gather(results, keep, advance)
    if not quiet and (kept or output == "text"):
        say(_summary(counts, len(done), target, bool(interrupted)))
    ctx.exit(interrupted or (UNREADABLE if counts["error"] else FINDINGS if counts["findings"] else 0))


def _gather(
    results: Iterator[ScanResult], keep: Callable[[dict[str, Any]], None], advance: Callable[[], None]
) -> tuple[Counter[str], int]:
    """Keeps every result; how many there were of each status, and the exit status where it was interrupted, or 0."""
    counts: Counter[str] = Counter()
    try:
        with noticed_interrupts() as interrupted:
            for result in results:
                keep(result.to_dict())
                counts[result.status] += 1
                advance()
                interrupted()
    except KeyboardInterrupt as error:
        return counts, exit_status(error)
    return counts, 0


def _not_in(done: frozenset[str], images: Iterator[str], advance: Callable[[], None]) -> Iterator[str]:
    from vmrescue.fleet.sources import identity
    from vmrescue.image.reference import Reference

    known = {identity(image) for image in done}
    for image in images:
        if identity(Reference.of(image).shown) not in known:
            yield image
        else:
            advance()


def _print_json(document: dict[str, Any]) -> None:
    wipe()
    click.echo(json.dumps(document))


def _print_line(document: dict[str, Any]) -> None:
    from vmrescue.fleet.rows import row_of
    from vmrescue.printable import printable

    row = row_of(document)
    counted = ", ".join(
        f"{row[severity]} {severity}" for severity in ("critical", "warning", "advice") if row[severity]
    )
    unseen = [each["check"] for each in (document["diagnosis"] or {}).get("not_checked", [])]
    parts = [f"{counted} ({', '.join(row['checks'])})"] if counted else []
    parts += [f"not checked: {', '.join(unseen)}"] if unseen else []
    said = row["error"] or "; ".join(parts) or "nothing is wrong in what was checked"
    say(printable(f"{row['image']}: {row['status']}: {said}"))
    for warning in (document["diagnosis"] or {}).get("warnings", []):
        say(printable(f"  note: {warning}"))


def _no_output(document: dict[str, Any]) -> None:
    """With --quiet only the exit status tells."""


def _summary(counts: Counter[str], held: int, target: Path | None, interrupted: bool) -> str:
    from vmrescue.units import counted

    kinds = f"{counts['healthy']} healthy, {counts['findings']} with findings, {counts['error']} could not be read"
    parts = [f"{counted(counts.total(), 'image')}: {kinds}"]
    if held:
        parts.append(f"{held} {'was' if held == 1 else 'were'} done before")
    if target:
        parts.append(f"results in {target}")
    if interrupted:
        parts.append("interrupted" + (": go on with --resume" if target else ""))
    return "; ".join(parts) + "."


@contextmanager
def _executor(jobs: int, scheduler: str | None, timeout: float | None) -> Iterator[Executor | None]:
    """Where the work is done: None for this process."""
    if scheduler and timeout:
        raise UsageError("--timeout is kept by processes of this machine, not by a cluster")
    if timeout:
        from vmrescue.fleet import TimedPool

        timed = TimedPool(jobs, timeout)
        try:
            yield timed
        finally:
            timed.shutdown(cancel_futures=True)
    elif scheduler:
        with _cluster(scheduler) as executor:
            yield executor
    elif jobs == 1:
        yield None
    else:
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context

        context = get_context("forkserver")
        context.set_forkserver_preload(IN_EVERY_WORKER)
        pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=ignore_interrupt)
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
