"""What `repair`, `rescue` and `apply` do with many images: a dry run of all, a question, the run, its receipts."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from vmrescue.cli.applying import confirmed
from vmrescue.cli.interrupts import noticed_interrupts, stopping_where_it_can
from vmrescue.cli.many import an_executor, not_in
from vmrescue.cli.output import put
from vmrescue.cli.progress import wipe
from vmrescue.cli.terminal import say
from vmrescue.errors import RefusedError, UsageError
from vmrescue.interrupts import BY_SIGNAL
from vmrescue.printable import printable
from vmrescue.progress import work as under_way
from vmrescue.units import by_number, counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Executor
    from pathlib import Path

    from vmrescue.cli.many import FleetOptions
    from vmrescue.cli.options import ApplyOptions
    from vmrescue.fleet.outputs import Output
    from vmrescue.fleet.repaired import RepairResult
    from vmrescue.fleet.repairing import Repairing

AHEAD = 64  # images given to a cluster at once
IN_WORKERS = ["vmrescue.fleet.repairing", "vmrescue.procedure.rescuing"]


def about_one(options: ApplyOptions, **given: object) -> None:
    """Raises UsageError for what is said of one image only: `given` by the options' names."""
    named = [f"--{name.replace('_', '-')}" for name, value in given.items() if value]
    named += ["--copy-to and --into"] if options.elsewhere else []
    named += ["--backup-dir"] if options.backup_dir else []
    if named:
        raise UsageError(f"{named[0]}: of many images each is repaired by itself, where it lies")


def run_over(work: Repairing, paths: Sequence[str | Path], fleet: FleetOptions, options: ApplyOptions) -> int:
    """Does the work to all images; returns the exit status: the largest of theirs, or that of an interrupt.

    Raises:
        RefusedError: the person says no, or there is nobody to ask; nothing was written.
    """
    from vmrescue.fleet.outputs import must_take_results
    from vmrescue.fleet.run_results import RUN
    from vmrescue.fleet.sources import STANDARD_INPUT, images

    arguments = [str(path) for path in paths]
    if STANDARD_INPUT in arguments and not (options.yes or options.dry_run):
        raise UsageError("a list from standard input leaves nobody to ask: --yes or --dry-run")
    if fleet.target:
        must_take_results(fleet.target, fleet.resume, RUN, fleet.force)
    held = _held(fleet, options)
    done = frozenset(row["image"] for row in held)
    if held:
        work = replace(work, run=held[0]["run"])
    todo = list(not_in(done, images(arguments, fleet.recursive), lambda: None))
    if fleet.target:  # which is read from other folders too
        from vmrescue.image.url import from_anywhere

        todo = list(map(from_anywhere, todo))
    with ExitStack() as opened:
        executor = opened.enter_context(an_executor(fleet, preload=IN_WORKERS))
        run = _Run(fleet, options, executor, arguments)
        settled: list[RepairResult] = []
        if not (options.yes or options.dry_run):
            settled, agreed = run.rehearsed(replace(work, dry_run=True), todo)
            work, todo = replace(work, expected=agreed), list(agreed)
        return run.carried_out(work, todo, settled, len(done))


def _held(fleet: FleetOptions, options: ApplyOptions) -> list[dict[str, Any]]:
    """What is known of the results that the output holds already. Raises UsageError where they are of a dry run."""
    from vmrescue.files import kind_of
    from vmrescue.fleet.outputs import partial_of, read_results
    from vmrescue.fleet.run_results import RUN

    if not fleet.resume or fleet.target is None:
        return []
    there = kind_of(fleet.target) or kind_of(partial_of(fleet.target))
    rows = read_results(fleet.target, RUN) if there else iter(())
    held = [{name: row[name] for name in ("image", "run", "dry_run")} for row in rows]
    if any(row["dry_run"] != options.dry_run for row in held):
        which = "a dry run" if not options.dry_run else "a run that wrote"
        raise UsageError(f"{fleet.target} holds results of {which}: it is not resumed by another kind of run")
    return held


class _Run:
    """A run over many images, and what is said of it."""

    def __init__(
        self, fleet: FleetOptions, options: ApplyOptions, executor: Executor | None, arguments: list[str]
    ) -> None:
        self._fleet = fleet
        self._options = options
        self._executor = executor
        self._arguments = arguments
        self._ahead = AHEAD if fleet.scheduler else fleet.jobs

    def rehearsed(self, work: Repairing, todo: list[str]) -> tuple[list[RepairResult], dict[str, str]]:
        """Does all in memory, says what is due, and asks: the results of what is not due, and what was agreed to.

        Raises RefusedError where the answer is no.
        """
        from vmrescue.image.reference import Reference

        names = {Reference.of(image).shown: image for image in todo}
        settled: list[RepairResult] = []
        agreed: dict[str, str] = {}
        changes = 0
        with (
            under_way("trying in memory", len(todo), "image") as now,
            noticed_interrupts() as interrupted,
        ):
            for result in self._results(work, todo):
                if result.status == "due":
                    agreed[names[result.image]] = result.digest or ""
                    changes += len(result.made)
                else:
                    settled.append(replace(result, dry_run=False))
                if self._options.talkative:
                    say(line_of(result))
                now.advance()
                interrupted()
        if not agreed:
            return settled, agreed
        question = f"Write {counted(changes, 'change')} to {counted(len(agreed), 'image')}, each with its own undo?"
        if not confirmed(question):
            raise RefusedError("not done: the answer was no; --dry-run --format json shows every change")
        return settled, agreed

    def carried_out(self, work: Repairing, todo: list[str], settled: list[RepairResult], before: int) -> int:
        """Does the work, keeps and says every result, those that are settled too; returns the exit status."""
        counts: Counter[str] = Counter()
        worst = 0
        with ExitStack() as opened:
            kept = self._opened_output()
            if kept:
                opened.callback(kept.close)
            now = opened.enter_context(under_way("repairing", len(settled) + len(todo), "image"))
            stopped = opened.enter_context(stopping_where_it_can("what is under way is finished first"))
            known = {result.image for result in settled}
            for result in chain(settled, self._results(work, todo, lambda: bool(stopped()))):
                if kept:
                    kept.add(result.to_dict())
                elif result.image not in known or self._options.output == "json":
                    self._print(result)
                counts[result.status] += 1
                worst = max(worst, result.exit_status)
                now.advance()
        if self._options.talkative:
            say(self._summary(counts, before, bool(stopped())))
        return BY_SIGNAL + stopped() if stopped() else worst

    def _opened_output(self) -> Output | None:
        from vmrescue.fleet.outputs import open_output
        from vmrescue.fleet.run_results import RUN
        from vmrescue.image.reference import Reference

        if self._fleet.target is None:
            return None
        sources = [Reference.of(each).shown for each in self._arguments]
        return open_output(self._fleet.target, self._fleet.resume, sources, RUN, self._fleet.force)

    def _results(
        self, work: Repairing, todo: list[str], stopped: Callable[[], bool] = lambda: False
    ) -> Iterator[RepairResult]:
        from vmrescue.fleet.runs import run

        return run(work, todo, self._executor, self._ahead, stopped)

    def _print(self, result: RepairResult) -> None:
        if self._options.output == "json" and not self._options.quiet:
            wipe()
            put(json.dumps(result.to_dict()))
        elif self._options.talkative:
            say(line_of(result))

    def _summary(self, counts: Counter[str], before: int, interrupted: bool) -> str:
        kinds = ", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "nothing to do"
        parts = [f"{counted(counts.total(), 'image')}: {kinds}"]
        if before:
            parts.append(f"{before} {by_number(before, 'was', 'were')} done before")
        target = self._fleet.target
        if target:
            parts.append(f"receipts in {target}")
        if counts["repaired"] and target:
            parts.append(f"take all back with: {shlex.join(['vmrescue', 'undo', '--run', str(target)])}")
        if interrupted:
            parts.append("interrupted" + (": go on with --resume" if target else ""))
        return printable("; ".join(parts))


def line_of(result: RepairResult) -> str:
    """A result in a line."""
    made = ", ".join(dict.fromkeys(each["check"] for each in result.made))
    parts = [f"{counted(len(result.made), 'change')} ({made})"] if made and not result.error else []
    parts += [f"repair {result.journal}"] if result.journal is not None else []
    parts += [str(result.error)] if result.error else []
    left = ", ".join(dict.fromkeys(each["check"] for each in result.left if each["severity"] != "advice"))
    parts += [f"left: {left}"] if left else []
    parts += [f"not checked: {', '.join(each['check'] for each in result.not_checked)}"] if result.not_checked else []
    parts += list(result.notes)
    return printable(f"{result.image}: {result.status}: {'; '.join(parts) or 'nothing to make'}")
