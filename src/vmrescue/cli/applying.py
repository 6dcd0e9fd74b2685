"""What `repair`, `apply` and every other command that edits an image share: show, ask, commit, report."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from vmrescue.cli.diagnose import FINDINGS
from vmrescue.cli.done import tell
from vmrescue.cli.output import put
from vmrescue.cli.terminal import last_line, on_screen, say
from vmrescue.errors import RefusedError
from vmrescue.interrupts import held
from vmrescue.printable import printable
from vmrescue.report.receipt import dry_run_text, receipt_text
from vmrescue.report.text import plan_summary, plan_text, plans_text
from vmrescue.units import counted

ROOM = 6  # rows of a screen for what stands around a list of changes


if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Iterable, Sequence

    from vmrescue.checks import Finding
    from vmrescue.cli.options import ApplyOptions
    from vmrescue.diagnosis import Diagnosis
    from vmrescue.plan import Change, Plan
    from vmrescue.transaction import Receipt, Transaction
    from vmrescue.transaction.machine import Machine
    from vmrescue.transaction.target import Elsewhere, UploadTo


def edit_and_report(
    machine: Machine,
    plan_of: Callable[[Transaction], Plan],
    options: ApplyOptions,
    *,
    skip_refused: bool = False,
    asks: Callable[[], bool] = lambda: True,
) -> Receipt:
    """Makes the plan of the opened disks, as `try_and_report` makes what was tried."""

    def tried(transaction: Transaction) -> Receipt:
        return transaction.apply(plan_of(transaction), skip_refused)

    return try_and_report(machine, tried, options, asks=asks)


def try_and_report(
    machine: Machine,
    tried: Callable[[Transaction], Receipt],
    options: ApplyOptions,
    *,
    promise: bool = False,
    asks: Callable[[], bool] = lambda: True,
) -> Receipt:
    """The way of every command that edits an image: open, try in memory, show, ask, commit, report.

    With --copy-to or --into what is shown is for the copy or the child, which is made once the person has agreed.
    Raises RefusedError where the person says no, or where nobody can be asked.

    Args:
        tried: applies what is to be done to the opened disks in memory.
        promise: whether that comes from a diagnosis, and then has to be what can be made.
        asks: whether what was tried needs the person's consent; else `options.yes` is not looked at.
    """
    elsewhere = options.elsewhere
    writable = not (options.dry_run or elsewhere or options.upload)
    with machine.opened(writable, elsewhere=elsewhere, promise=promise) as transaction:
        receipt = tried(transaction)
        options = options._replace(yes=options.yes or not asks())
        _show_tried(receipt, options)
        if options.upload and not options.dry_run:
            ask_to_upload([receipt.plan], machine.image, options, options.upload)
            done = transaction.upload(receipt, options.upload, options.backup_dir)
            report(done, options)
            return done
        if not is_due(receipt, options):
            report(receipt, options)
            return receipt
        ask_to_write(receipt, machine, options)
        if not elsewhere:
            with held():  # what was changed is said, whatever ends the command then
                done = transaction.commit(receipt, options.backup_dir)
                report(done, options)
                return done
    done = _made_elsewhere(receipt.plan, machine, elsewhere, options, promise)
    report(done, options)
    return done


def is_due(receipt: Receipt, options: ApplyOptions) -> bool:
    """Whether what was tried is to be written: a copy or a child is made though nothing is to be changed in it."""
    return not options.dry_run and bool(options.elsewhere or receipt.written)


def ask_to_write(receipt: Receipt, machine: Machine, options: ApplyOptions) -> None:
    """Asks whether what was tried is to be written, to the image or to what is made of it. Otherwise as `ask`."""
    from vmrescue.image.reference import Reference

    target = " and ".join(receipt.written)
    if options.elsewhere:
        also = also_written(receipt.plan.changes, machine.data_disks)
        target = f"{options.elsewhere.path}, made from {Reference.of(machine.image)}{also}"
    ask([receipt.plan], target, options)


def _made_elsewhere(
    plan: Plan, machine: Machine, elsewhere: Elsewhere, options: ApplyOptions, promise: bool
) -> Receipt:
    """Makes the plan in a copy or a child: what was shown and agreed to, whatever a diagnosis of that would say."""
    with elsewhere.made(machine.image) as made, machine.opened(made=made, promise=promise) as transaction:
        receipt = transaction.apply(plan)
        with held():
            return transaction.commit(receipt, options.backup_dir) if receipt.written else receipt


def ask_to_upload(
    plans: Sequence[Plan], image: str | os.PathLike[str], options: ApplyOptions, to: UploadTo, unseen: bool = False
) -> None:
    """Asks whether a copy of an image, with these changes, is to be put to an address. Otherwise as `ask`."""
    from vmrescue.image.reference import Reference

    ask(plans, f"{Reference.of(to.url)}, a copy of {Reference.of(image)}", options, unseen=unseen)


def _show_tried(receipt: Receipt, options: ApplyOptions) -> None:
    """What was tried in memory, and would be written: its changes, and what is not made of what was to be."""
    show(receipt.plan, options, asked=bool(receipt.written) and not options.dry_run)
    for step in receipt.skipped:
        say(printable(f"note: this is not made: {step.title} ({step.check}): {step.because}"), err=True)


def end_of(receipt: Receipt, options: ApplyOptions) -> int:
    """As `status_of`, of a command that says nothing of what was wrong before: says what makes it 1."""
    status = status_of(receipt.after)
    if status and receipt.after and options.talkative and not receipt.mends:
        left = dict.fromkeys(each.check for each in receipt.after.findings if each.severity != "advice")
        left |= dict.fromkeys(f"{each.check} (not checked)" for each in receipt.after.not_checked)
        said = "This would be left" if options.dry_run else "This is left"
        tell(printable(f"{said}, and `vmrescue diagnose` says more of it: {', '.join(left)}."), receipt.committed)
    return status


def end_of_chosen(receipt: Receipt, options: ApplyOptions, only: Collection[str], skip: Collection[str]) -> int:
    """As `status_of`, of a repair, which has said what is left: says that it is 0 all the same, and why."""
    status = status_of(receipt.after, only, skip)
    if not status and receipt.after and not receipt.after.healthy and receipt.mends and options.talkative:
        tell("Of the checks that were asked for nothing is left.", receipt.committed)
    return status


def status_of(after: Diagnosis | None, only: Collection[str] = (), skip: Collection[str] = ()) -> int:
    """Of a command that is to make a disk boot again: 1 while findings worse than advice are left (of these checks)."""
    return FINDINGS if after and not after.is_healthy(only or None, skip) else 0


def show(plan: Plan, options: ApplyOptions, asked: bool) -> None:
    """Shows every change of a plan: all there is to say, or a line for each check, where a question follows that would
    not be in view, and that offers the rest.
    """
    if not options.talkative:
        return
    text = plan_text(plan) or "There is nothing to change."
    say(text if not (asked and asks_on_terminal(options)) or _fits(text) else plan_summary(plan))


def asks_on_terminal(options: ApplyOptions) -> bool:
    """Whether a person is about to be asked who sees what is printed."""
    return options.talkative and not options.yes and sys.stdin.isatty() and sys.stdout.isatty()


def say_left_out(findings: list[Finding], unmended: list[str], briefly: bool = False) -> None:
    """Says on stderr which findings are not mended, and why; `unmended` are sentences of a diagnosis.

    `briefly`: only their names, where the rest is said at the end.
    """
    sentences = list(dict.fromkeys([*(finding.left for finding in findings), *unmended]))
    if briefly and sentences:
        names = ", ".join(dict.fromkeys(sentence.partition(":")[0] for sentence in sentences))
        sentences = [f"left as it is, and said at the end with what helps: {names}"]
    for sentence in sentences:
        say(printable(f"note: {sentence}"), err=True)


def ask(plans: Sequence[Plan], target: str, options: ApplyOptions, hint: str = "", unseen: bool = False) -> None:
    """Asks whether to go on. Raises RefusedError where the answer is no, or where there is nobody to ask.

    `unseen`: whether no list of the changes was shown, however short.
    """
    if options.yes:
        return
    question = f"Write {counted(sum(map(len, plans)), 'change')} to {printable(target)}?"
    listed = plans_text(plans)
    offered = asks_on_terminal(options) and (unseen or not _fits(listed))
    if not confirmed(question, listed if offered else ""):
        raise RefusedError(f"not done: the answer was no{hint}")


def _fits(text: str) -> bool:
    """Whether it is still in view when a question stands below it."""
    lines, rows = on_screen(text)
    return lines <= rows - ROOM


def also_written(changes: Iterable[Change], data_disks: Sequence[str | os.PathLike[str]]) -> str:
    """The data disks that are changed: of them no copy is made."""
    from vmrescue.image.reference import Reference

    changed = sorted({change.file.disk for change in changes} - {0})
    return "".join(f" and, in place, to {Reference.of(data_disks[number - 1])}" for number in changed)


def confirmed(question: str, listed: str = "") -> bool:
    """Whether the person says yes; `listed` is shown on demand. Raises RefusedError where nobody is there."""
    try:
        if not listed:
            return click.confirm(last_line(question), err=True)
        while True:
            said = f"{question} [y/N, l: list every change]"
            answer = click.prompt(last_line(said), default="n", show_default=False, err=True).strip().lower()
            if answer in ("l", "list"):
                say(listed)
            elif answer in ("y", "yes", "n", "no"):
                return answer.startswith("y")
    except click.Abort as error:
        raise RefusedError("not done: there is nobody to ask; --yes answers yes") from error


def report(receipt: Receipt, options: ApplyOptions) -> None:
    """Prints a receipt, or what a dry run would have written."""
    if options.talkative:
        tell(receipt_text(receipt) if receipt.committed else dry_run_text(receipt), receipt.committed)
    elif not options.quiet:
        tell(receipt.to_json().removesuffix("\n"), receipt.committed, put)
