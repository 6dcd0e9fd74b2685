"""What became of a rescue as plain text: each step in a line, then what is left and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.printable import printable
from vmrescue.report.defragmentation import defragmented_text
from vmrescue.report.receipt import left_lines, written_lines
from vmrescue.report.rehearsal import verdict_lines
from vmrescue.report.text import headline, not_checked_lines
from vmrescue.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.procedure import Outcome, StepDone

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
        yield from (printable(f"     {because}") for because in step.because if because not in said_below)


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
