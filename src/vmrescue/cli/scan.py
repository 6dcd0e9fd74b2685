"""vmrescue scan"""

from __future__ import annotations

import json
import sys
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from vmrescue.cli.diagnose import FINDINGS
from vmrescue.cli.interrupts import noticed_interrupts
from vmrescue.cli.many import an_executor, fleet_options, not_in
from vmrescue.cli.options import check_options, format_option, parent_option, policy_options, quiet_option
from vmrescue.cli.output import put
from vmrescue.cli.progress import wipe
from vmrescue.cli.terminal import say
from vmrescue.interrupts import exit_status
from vmrescue.progress import work
from vmrescue.units import by_number, counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from vmrescue.checks import Policy
    from vmrescue.cli.many import FleetOptions
    from vmrescue.fleet import ScanResult
    from vmrescue.fleet.outputs import Output

UNREADABLE = 3  # exit status: an image could not be read


@click.command()
@click.argument("paths", nargs=-1, required=True)
@fleet_options
@click.option(
    "--timeout",
    type=click.FloatRange(0.1),
    metavar="SECONDS",
    help="For each image: then its worker is killed, and it counts as not readable.",
)
@click.option(
    "--prefix",
    default="",
    metavar="TEXT",
    help="Of a container (az://container/): only page blobs whose names begin so.",
)
@click.option(
    "--sha256", "hashed", is_flag=True, help="Hash each whole file first, container included; of files, not of URLs."
)
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
    fleet: FleetOptions,
    timeout: float | None,
    prefix: str,
    hashed: bool,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    output: str,
    quiet: bool,
    policy: Policy,
) -> None:
    """Diagnose many images: files, folders, globs, URLs, Azure containers (az://container/), and @LIST.txt (one of
    these a line); none is written to.

    Exit status: 3 where an image could not be read, else 1 where one has findings of warning or critical, or a check
    that could not be run, else 0; of the images of this run, without those that --resume leaves out.
    """
    from vmrescue.fleet import scan
    from vmrescue.fleet.outputs import open_output
    from vmrescue.fleet.sources import STANDARD_INPUT, images
    from vmrescue.image.reference import Reference

    target, resume, recursive = fleet.target, fleet.resume, fleet.recursive
    with ExitStack() as opened:
        sources = (Reference.of(path).shown for path in paths)
        kept = open_output(target, resume, sources, force=fleet.force) if target else None
        if kept:
            opened.callback(kept.close)
        done = _done(kept, hashed) if kept and resume else frozenset()
        visible = not quiet and sys.stderr.isatty()
        total = sum(1 for _ in images(paths, recursive, prefix)) if visible and STANDARD_INPUT not in paths else None
        advance = opened.enter_context(work("scanning", total, "image")).advance
        executor = opened.enter_context(an_executor(fleet, timeout))
        wanted = not_in(done, images(paths, recursive, prefix), advance)
        results = scan(wanted, executor, policy, only=only or None, skip=skip, sha256=hashed)
        keep = kept.add if kept else _no_output if quiet else _print_json if output == "json" else _print_line
        counts, interrupted = _gather(results, keep, advance)
    if not quiet and (kept or output == "text"):
        say(_summary(counts, len(done), target, bool(interrupted)))
    ctx.exit(interrupted or (UNREADABLE if counts["error"] else FINDINGS if counts["findings"] else 0))


def _done(kept: Output, hashed: bool) -> frozenset[str]:
    """The images whose results an output holds. That some lack the hash that is asked for now is said."""

    held = {document["image"]: document["sha256"] for document in kept.documents()}
    if hashed and (without := sum(not each for each in held.values())):
        earlier = f"{counted(without, 'result')} of an earlier run"
        say(
            f"note: {earlier} {by_number(without, 'has', 'have')} no SHA-256, and no image is looked at twice", err=True
        )
    return frozenset(held)


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


def _print_json(document: dict[str, Any]) -> None:
    wipe()
    put(json.dumps(document))


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
    said = row["error"] or "; ".join(parts) or "no check found anything"
    say(printable(f"{row['image']}: {row['status']}: {said}"))
    if document["sha256"]:
        say(printable(f"  SHA-256 of the file: {document['sha256']}"))
    for warning in (document["diagnosis"] or {}).get("warnings", []):
        say(printable(f"  note: {warning}"))


def _no_output(document: dict[str, Any]) -> None:
    """With --quiet only the exit status tells."""


def _summary(counts: Counter[str], held: int, target: Path | None, interrupted: bool) -> str:

    kinds = f"{counts['healthy']} healthy, {counts['findings']} with findings, {counts['error']} could not be read"
    parts = [f"{counted(counts.total(), 'image')}: {kinds}"]
    if held:
        parts.append(f"{held} {by_number(held, 'was', 'were')} done before")
    if target:
        parts.append(f"results in {target}")
    if interrupted:
        parts.append("interrupted" + (": go on with --resume" if target else ""))
    return "; ".join(parts) + "."
