"""Reads back what the editors have written, by code that did not write it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import RefusedError, RepairFailedError, VmRescueError
from vmrescue.transaction.deeds import deed_of
from vmrescue.transaction.expected import by_deed, by_file

if TYPE_CHECKING:
    from vmrescue.checks import Policy
    from vmrescue.diagnosis import Diagnosis
    from vmrescue.plan import Plan
    from vmrescue.windows import Choice, Disk


def verify_plan(
    plan: Plan, disks: list[Disk], policy: Policy, before: Diagnosis | None, choice: Choice, in_place: bool = True
) -> Diagnosis | None:
    """Looks up every change through code that did not make it, and diagnoses the disks again.

    Args:
        plan: what was applied.
        disks: the disks as they are now, opened anew.
        policy: what counts as right.
        before: the diagnosis that the plan came from, where one could be made.
        choice: what was said to boot.
        in_place: whether the image itself is changed, and not a copy of it.

    Returns the new diagnosis.

    Raises:
        RepairFailedError: a change is not there, or something is wrong now that was not before.
    """
    try:
        readers = [disk.to_confirm() for disk in disks]
        for of_file in by_file(plan.changes).values():
            changes = by_deed(of_file)[-1]  # what was put and then edited has another content by now
            deed_of(changes[:1]).confirm(changes, readers)
        after = _examined(disks, policy, before, choice, in_place) if before else None
    except RepairFailedError:
        raise
    except VmRescueError as error:
        raise RefusedError(
            f"nothing was written: with these changes the disk could not be read any more ({error})"
        ) from error
    if before and after and _is_of_checks(plan):
        _nothing_new(before, after)
    if before and after and plan.playbook:
        _starts_as_before(before, after)
    return after


def _examined(disks: list[Disk], policy: Policy, before: Diagnosis, choice: Choice, in_place: bool) -> Diagnosis:
    """The disks diagnosed as they were before; where they could not be, no check is imported."""
    from vmrescue.diagnosis import examine

    return examine(disks, policy, choice=choice, promise=before.promised, in_place=in_place)


def _is_of_checks(plan: Plan) -> bool:
    from vmrescue.checks.rules import CHECKS

    return all(step.check in CHECKS for step in plan.steps)


def _starts_as_before(before: Diagnosis, after: Diagnosis) -> None:
    """A playbook is for many images, which nobody looks at one by one: it must not end the start of any."""
    known = {finding.check for finding in before.findings if finding.severity == "critical"}
    for finding in after.findings:
        if finding.severity == "critical" and finding.check not in known:
            raise RepairFailedError(f"the playbook would have caused a new finding, {finding.check}: {finding.summary}")


def _nothing_new(before: Diagnosis, after: Diagnosis) -> None:
    """A repair may leave findings, but must not cause any. What a person asks for by hand may: it is in the receipt.

    What could not be looked at before may be looked at now, and what is found then was there.
    """
    from vmrescue.transaction.uncovered import uncovered

    missing = {each.check for each in before.not_checked}
    known = {finding.check for finding in before.findings} | missing | uncovered(before, after)
    for finding in after.findings:
        if finding.check not in known:
            raise RepairFailedError(f"the edits would have caused a new finding, {finding.check}: {finding.summary}")
    for each in after.not_checked:
        if each.check not in missing:
            raise RepairFailedError(f"with the edits {each.check} could not be checked any more: {each.because}")
