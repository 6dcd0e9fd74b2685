"""Finds what a rescue would do, by doing it in memory: one plan after another, each for the result of the one before.

     logs replayed ──> everything else mended ──> cleaned up ──> the volume made larger
     (then a diagnosis     (and what comes to        (if it is too full still, each time)
      sees what they hold)  light with that)

If a plan is refused, or the readers do not confirm it, the overlays are half done. So everything is thrown away and
done again: first each step by itself, then without the step that fails.
"""

from __future__ import annotations

from dataclasses import field, replace
from typing import TYPE_CHECKING

from vmrescue.checks.boot.boot_path import boot_path
from vmrescue.checks.intents import Expand
from vmrescue.dataclass import dataclass
from vmrescue.diagnosis.diagnosis import left_unchecked
from vmrescue.errors import VmRescueError
from vmrescue.log import logger
from vmrescue.plan import Plan, Step
from vmrescue.procedure.outcome import StepDone
from vmrescue.procedure.steps import BOOT, LOGS, SPACE, STEPS, checks_of, step_of
from vmrescue.transaction.mending import MOST_ROUNDS, first_of
from vmrescue.units import counted
from vmrescue.windows.expansion import expansion

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from vmrescue.diagnosis import Diagnosis
    from vmrescue.procedure.steps import ProcedureStep
    from vmrescue.transaction import Receipt, Transaction

LOG = logger("procedure")


@dataclass
class Rounds:
    """The plans of a rescue.

    Attributes:
        plans: in the order in which they are applied.
        before, after: the diagnoses of the disk as it was found, and as the plans leave it.
        receipt: what they would write; None where nothing is due.
        failed: the steps that were refused when they were tried, and why.
    """

    plans: list[Plan]
    before: Diagnosis
    after: Diagnosis
    receipt: Receipt | None
    failed: dict[str, str] = field(default_factory=dict)


def tried(open_transaction: Callable[[], Transaction], steps: Collection[ProcedureStep], size: int | None) -> Rounds:
    """Does the steps in memory.

    Args:
        open_transaction: opens the disks anew, only to read.
        steps: those that are wanted.
        size: how large the disk may become, in bytes; None where it stays as it is.
    """
    failed: dict[str, str] = {}
    rounds: dict[str, int] = {}  # of a step that fails: how many are made
    apart = False
    while True:
        left = [step for step in steps if rounds.get(step.id) != 0]
        with open_transaction() as transaction:
            before, plans, receipt = transaction.before, [], None
            for members, number, plan in _plans(transaction, left, size, apart, rounds):
                try:
                    receipt = transaction.apply(plan)
                except VmRescueError as error:
                    LOG.info("%s cannot be made: %s", " and ".join(step.id for step in members), error)
                    if len(members) == 1:
                        failed[members[0].id], rounds[members[0].id] = str(error), number
                    else:
                        apart = True
                    break
                plans.append(plan)
                LOG.info("due for %s: %s", " and ".join(step.id for step in members), counted(len(plan), "change"))
            else:
                return Rounds(plans, before, transaction.latest, receipt, failed)


def _plans(
    transaction: Transaction, steps: Collection[ProcedureStep], size: int | None, apart: bool, most: dict[str, int]
) -> Iterator[tuple[list[ProcedureStep], int, Plan]]:
    """Each plan that is due, with the steps that it belongs to and how many it follows, once those are applied.

    `most`: of steps whose later rounds fail, how many are made.
    """
    others = [step for step in steps if step not in (LOGS, SPACE)]
    groups = [[LOGS] if LOGS in steps else [], *([[step] for step in others] if apart else [others])]
    for members in filter(None, groups):
        rounds = min((most.get(step.id, MOST_ROUNDS) for step in members), default=MOST_ROUNDS)
        yield from ((members, number, plan) for number, plan in enumerate(_rounds(transaction, members, rounds)))
    if SPACE not in steps:
        return
    for due in (_cleaned, _grown):
        plan = due(transaction, size)
        if len(plan):
            yield [SPACE], 0, plan


def _rounds(transaction: Transaction, steps: Collection[ProcedureStep], most: int) -> Iterator[Plan]:
    """What is due for some steps, and then what came to light with it."""
    made = Plan(transaction.identity, ())
    for _ in range(most):
        plan = first_of(transaction.latest.plan(checks_of(steps)), made)
        if not len(plan):
            return
        yield plan
        made = replace(made, steps=(*made.steps, *plan.steps))


def _cleaned(transaction: Transaction, size: int | None) -> Plan:
    return transaction.latest.plan(SPACE.checks)


def _grown(transaction: Transaction, size: int | None) -> Plan:
    """The volume made larger: into the room that the disk has, or into that of a disk as large as is allowed."""
    steps: list[Step] = []
    for finding in transaction.latest.findings:
        wanted = [intent for intent in finding.intents if isinstance(intent, Expand)]
        if finding.check not in SPACE.checks or finding.refused or not wanted:
            continue
        [intent, *_] = wanted
        disk = transaction.disks()[intent.disk]
        most = max(size or 0, disk.device.size)
        if intent.size > most == disk.device.size:
            continue
        try:
            changes = expansion(disk, min(intent.size, most), move_recovery=intent.move_recovery)
        except VmRescueError as error:  # the finding is left, with the size that is advised
            LOG.info("the disk is not made %d bytes long: %s", most, error)
            continue
        steps += [Step(finding.check, finding.summary, change) for change in changes]
    return Plan(transaction.identity, tuple(steps))


def became_of(rounds: Rounds, steps: Collection[ProcedureStep]) -> tuple[StepDone, ...]:
    """Each step with what becomes of it."""
    made = [step_of(each.check) for plan in rounds.plans for each in plan.steps]
    return tuple(_became(step, made.count(step), rounds, wanted=step in steps) for step in STEPS)


def _ending(after: Diagnosis) -> list[str]:
    """That the start ends all the same, of the step that puts the boot path right."""
    return [finding.left for finding in after.findings if finding.check == boot_path.id]


def _became(step: ProcedureStep, changes: int, rounds: Rounds, wanted: bool) -> StepDone:
    if not wanted:
        return StepDone(step, "not wanted")
    checks = checks_of([step])
    because = [
        finding.left
        for finding in rounds.after.findings
        if finding.check in checks and (finding.severity != "advice" or finding.tell)
    ]
    because += left_unchecked(each for each in rounds.after.not_checked if each.check in checks)
    because += _ending(rounds.after) if step is BOOT else []
    because += [rounds.failed[step.id]] if step.id in rounds.failed else []
    if changes:
        return StepDone(step, "partly" if because else "done", changes, tuple(because))
    return StepDone(step, "left" if because else "not due", 0, tuple(because))
