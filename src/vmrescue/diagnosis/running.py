"""The checks run: what they find, and what could not be looked at. One that cannot be run keeps no other from it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from vmrescue.checks.facts import Link
from vmrescue.checks.finding import Finding
from vmrescue.checks.steps import RunbookStep
from vmrescue.diagnosis.diagnosis import NotChecked
from vmrescue.errors import LinkError, ReadError, VmRescueError
from vmrescue.log import logger
from vmrescue.progress import work

if TYPE_CHECKING:
    from collections.abc import Collection

    from vmrescue.checks.check import Check
    from vmrescue.checks.subject import Subject

    Results = tuple[list[Finding], list[NotChecked]]

LOG = logger("diagnosis")


def run(checks: Collection[Check], subject: Subject) -> Results:
    """What checks find in what boots, and in what else there is of it: further boot stores, further Windows.

    Raises ReadError where the machine does not give the image's bytes: that is nothing to be said of the image.
    """
    findings: list[Finding] = []
    not_checked: list[NotChecked] = []
    with work("looking for what is wrong", len(checks), "check") as now:
        for number, check in enumerate(checks):
            now.reach(number)
            others = list(subject.others(check.needs))
            for each in (subject, *others):
                found, missed = _run_one(check, each)
                findings += [_of(each, finding) for finding in found] if each.other else found
                not_checked += (
                    [replace(miss, because=f"{each.other}: {miss.because}") for miss in missed if each.boots]
                    if each.other
                    else missed
                )
    return findings, not_checked


def _run_one(check: Check, subject: Subject) -> Results:
    if because := subject.why_missing(check.needs):
        LOG.info("%s: not checked: %s", check.id, because)
        return [], [NotChecked(check.id, because)]
    findings: list[Finding] = []
    try:
        for finding in check.look(subject):
            findings.append(finding)  # noqa: PERF402 - what is found before an error counts
    except ReadError:
        raise
    except VmRescueError as error:
        if isinstance(error, LinkError):
            findings.append(_hidden(check, error))
        LOG.info("%s: not checked: %s", check.id, error)
        return findings, [NotChecked(check.id, str(error))]
    LOG.debug("%s: %d findings", check.id, len(findings))
    return findings, []


def _of(subject: Subject, finding: Finding) -> Finding:
    """A finding in what does not boot, as far as the disk tells, is advice, and nothing is changed for it."""
    if subject.boots:
        return replace(finding, summary=f"{subject.other}: {finding.summary}")
    return replace(
        finding,
        summary=f"{subject.other}, which does not boot: {finding.summary}",
        severity="advice",
        changes=(),
        intents=(),
    )


def _hidden(check: Check, error: LinkError) -> Finding:
    """That a symbolic link hides what a check asks for is a finding too."""
    return Finding(
        check=check.id,
        severity="warning",
        summary=f"not checked: {error}",
        meaning="What Windows would find there is not known, and nothing is written there.",
        step=RunbookStep.REPAIR_VM,
        facts=(Link(error.link, error.target),),
    )
