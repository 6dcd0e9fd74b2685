"""What `repair`, `apply` and every other command that edits an image share: show, ask, commit, report."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from vmrescue.cli.diagnose import FINDINGS
from vmrescue.errors import AfterCommitError, RefusedError
from vmrescue.interrupts import held
from vmrescue.printable import printable
from vmrescue.report.receipt import dry_run_text, receipt_text
from vmrescue.report.text import plan_text
from vmrescue.units import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from vmrescue.checks import Finding
    from vmrescue.cli.options import ApplyOptions
    from vmrescue.diagnosis import Diagnosis
    from vmrescue.plan import Change, Plan
    from vmrescue.transaction import Receipt, Transaction
    from vmrescue.transaction.target import Progress


def apply_and_report(
    transaction: Transaction,
    plan: Plan,
    options: ApplyOptions,
    skip_refused: bool = False,
) -> Receipt:
    """Applies a plan in memory, shows it, asks unless told not to, commits, prints the receipt and returns it.

    Raises RefusedError where the person says no, or where nobody can be asked.
    """
    receipt = transaction.apply(plan, skip_refused)
    show(receipt.plan if receipt.skipped else plan, options)
    for step in receipt.skipped:
        click.echo(printable(f"note: this is not made: {step.title} ({step.check}): {step.because}"), err=True)
    if not receipt.written or options.dry_run:
        report(receipt, options)
        return receipt
    ask(len(receipt.plan), " and ".join(receipt.written), options)
    with held():  # what was changed is said, whatever ends the command then
        done = transaction.commit(receipt, options.backup_dir)
        report(done, options)
        return done


def status_of(after: Diagnosis | None, only: Collection[str] = (), skip: Collection[str] = ()) -> int:
    """Of a command that is to make a disk boot again: 1 while findings worse than advice are left (of these checks)."""
    return FINDINGS if after and not after.is_healthy(only or None, skip) else 0


def show(plan: Plan, options: ApplyOptions) -> None:
    """Shows every change of a plan."""
    if options.talkative:
        click.echo(plan_text(plan) or "There is nothing to change.")


def say_left_out(findings: list[Finding], unmended: list[str]) -> None:
    """Says on stderr which findings are not mended, and why; `unmended` are sentences of a diagnosis."""
    for sentence in dict.fromkeys([*(finding.left for finding in findings), *unmended]):
        click.echo(printable(f"note: {sentence}"), err=True)


def ask(changes: int, target: str, options: ApplyOptions, hint: str = "") -> None:
    """Asks whether to go on. Raises RefusedError where the answer is no, or where there is nobody to ask."""
    if not (options.yes or confirmed(f"Write {counted(changes, 'change')} to {printable(target)}?")):
        raise RefusedError(f"not done: the answer was no{hint}")


def also_written(changes: Iterable[Change], data_disks: Sequence[Path]) -> str:
    """The data disks that are changed: of them no copy is made."""
    from vmrescue.image.reference import Reference

    changed = sorted({change.file.disk for change in changes} - {0})
    return "".join(f" and, in place, to {Reference.of(data_disks[number - 1])}" for number in changed)


def confirmed(question: str) -> bool:
    """Whether the person says yes. Raises RefusedError where there is nobody to ask."""
    try:
        return click.confirm(question, err=True)
    except click.Abort as error:
        raise RefusedError("not done: there is nobody to ask; --yes answers yes") from error


def report(receipt: Receipt, options: ApplyOptions) -> None:
    """Prints a receipt, or what a dry run would have written."""
    if options.talkative:
        tell(receipt_text(receipt) if receipt.committed else dry_run_text(receipt), receipt.committed)
    elif not options.quiet:
        tell(receipt.to_json().removesuffix("\n"), receipt.committed)


def tell(text: str, changed: bool) -> None:
    """Prints what was done. Raises AfterCommitError where that cannot be printed and an image was changed."""
    try:
        click.echo(text)
    except OSError as error:
        if not changed:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), sys.stdout.fileno())  # Python will try once more
        raise AfterCommitError(
            f"the image was changed, but what is to be said of that cannot be printed: {error.strerror}"
        ) from error


@contextmanager
def progress_bar(deed: str, quiet: bool) -> Iterator[Progress | None]:
    """A bar with the time left for bytes being copied or moved, on a terminal only."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    columns = BarColumn(), DownloadColumn(binary_units=True), TransferSpeedColumn(), TimeRemainingColumn()
    with Bar(deed, *columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(deed)
        yield lambda done, total: bar.update(task, completed=done, total=total)
