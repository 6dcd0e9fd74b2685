"""What became of a rescue as plain text: each step in a line, then what is left and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.diagnosis.symptom import BOOT_PATH
from vmrescue.plan import DeleteFile, PutFile
from vmrescue.printable import printable
from vmrescue.procedure.steps import step_of
from vmrescue.report.defragmentation import defragmented_text
from vmrescue.report.receipt import left_lines, written_lines
from vmrescue.report.rehearsal import verdict_lines
from vmrescue.report.text import headline, not_checked_lines
from vmrescue.units import counted, size_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.plan import Change
    from vmrescue.procedure import Outcome, StepDone

SHOWN_FILES = 3
WIDEST = 14  # letters of a step's name


def planned_text(outcome: Outcome) -> str:
    """Before anything is written: the disk, what each step would do, and what would be left."""
    return "\n".join([headline(outcome.before), "", *_steps(outcome), "", *_left(outcome, "would be left")])


def outcome_text(outcome: Outcome, planned: Outcome | None = None) -> str:
    """After it: what was written, how it is taken back, what is left; unless that is what was `planned`, and said."""
    lines = [defragmented_text(outcome.defragmented)] if outcome.defragmented else []
    lines += [printable(note) for note in outcome.notes]
    lines += [line for receipt in outcome.receipts if receipt.committed for line in written_lines(receipt)]
    left = list(_left(outcome, "is left"))
    if planned and left[1:] and left[1:] == list(_left(planned, "would be left"))[1:]:
        left = [
            f"{counted(len(outcome.remaining), 'finding')} of warning or critical left, as said before the question."
        ]
    return "\n".join([*lines, *left, *_rehearsed(outcome)])


def _rehearsed(outcome: Outcome) -> list[str]:
    """Where a start of the disk as it is now would end."""
    if outcome.rehearsal is None:
        return []
    return ["The boot path was followed again, on the disk as it is now:", *verdict_lines(outcome.rehearsal)]


def _steps(outcome: Outcome) -> Iterator[str]:
    said_below = {finding.left for finding in outcome.remaining}
    for number, step in enumerate(outcome.steps, 1):
        yield f"{number}. {step.step.id:{WIDEST}}  {step.step.title}: {_said(step)}"
        yield from (printable(f"     {line}") for line in _of_files(_made_for(outcome, step)))
        yield from (printable(f"     {because}") for because in step.because if because not in said_below)
        if below := dict.fromkeys(because.partition(":")[0] for because in step.because if because in said_below):
            ends = "the start ends all the same; " if BOOT_PATH in below else ""
            yield f"     {ends}what is left is said below: {', '.join(below)}"


def _made_for(outcome: Outcome, step: StepDone) -> list[Change]:
    made = (each for plan in outcome.plans for each in plan.steps)
    return [each.change for each in made if step_of(each.check) == step.step]


def _of_files(changes: list[Change]) -> Iterator[str]:
    """Which files are written and deleted as a whole: the largest by name."""
    sizes = {
        "writes": {str(each.file): len(each.data) for each in changes if isinstance(each, PutFile)},
        "deletes": {str(each.file): each.size for each in changes if isinstance(each, DeleteFile)},
    }
    for deed, files in sizes.items():
        shown = sorted(files, key=lambda name: -files[name])[:SHOWN_FILES]
        yield from (f"{deed} {name} ({size_text(files[name])})" for name in shown)
        if more := len(files) - len(shown):
            rest = sum(files.values()) - sum(files[name] for name in shown)
            yield f"{deed} {counted(more, 'more file')} ({size_text(rest)}); --dry-run names each"


def _said(step: StepDone) -> str:
    if step.changes:
        return counted(step.changes, "change") + ("; something is left" if step.because else "")
    return {"left": "due, but not made", "not due": "nothing to do", "not wanted": "left out, as you asked"}[step.state]


def _left(outcome: Outcome, when: str) -> Iterator[str]:
    """The findings worse than advice, and what could not be looked at, with the next commands."""
    findings, unchecked = outcome.remaining, not_checked_lines(outcome.after)
    if not findings and not unchecked:
        yield f"Nothing {when} that is worse than advice."
        return
    yield f"This {when}:"
    for finding in findings:
        yield from left_lines(outcome.after, finding)
    yield from (f"  {line}" for line in unchecked)
