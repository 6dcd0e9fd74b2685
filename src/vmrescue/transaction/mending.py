"""Makes what a diagnosis proposes, in memory, in rounds: a fault that appears when another is mended is mended too.

     diagnosis ──> plan ──> applied and verified ──> diagnosis ──> …   until there is nothing more of what was asked for

The partition table and the boot sectors come first, in a round of their own: the changes of files are judged by what is
found after that. The receipt of the last round has the changes of all rounds.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from vmrescue.arguments import typed
from vmrescue.checks import Policy
from vmrescue.errors import RefusedError, VmRescueError
from vmrescue.plan import Plan, Stage
from vmrescue.windows.installation import NOTHING_SAID

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterable

    from vmrescue.diagnosis import Diagnosis
    from vmrescue.transaction.receipt import Receipt
    from vmrescue.transaction.transaction import Transaction
    from vmrescue.windows import Choice

MOST_ROUNDS = 6  # a fault behind a fault behind a fault; what is left then is said


@typed
def mended(transaction: Transaction, only: Collection[str] | None = None, skip: Collection[str] = ()) -> Receipt:
    """Makes what the diagnoses propose (of the checks `only`, without those of `skip`).

    Raises:
        RefusedError: all that there is to change is refused, or what came to light cannot be mended.
        RepairFailedError: as `Transaction.apply`.
    """
    from vmrescue.checks.rules import chosen

    chosen(only, skip)
    diagnosis = transaction.diagnosis(only, skip)
    must_be_editable(diagnosis, only, skip)
    plan = first_of(plan_of(diagnosis, only, skip), Plan(transaction.identity, ()))
    receipt = transaction.apply(plan)
    for _ in range(MOST_ROUNDS - 1):
        if receipt.after is None or not len(plan):
            break
        plan = first_of(receipt.after.plan(only, skip), receipt.plan)
        if not len(plan):
            break
        try:
            receipt = transaction.apply(plan)
        except VmRescueError as error:
            checks = ",".join(dict.fromkeys(step.check for step in plan.steps))
            raise RefusedError(
                f"{error} (found once what else there is was mended in memory; --skip {checks} leaves it out)"
            ) from error
    return receipt


def first_of(plan: Plan, applied: Plan) -> Plan:
    """What of a plan is made next: nothing that was `applied` before, and no file before the layout is right."""
    made = applied.changes
    steps = [step for step in plan.steps if step.change not in made]
    layout = [step for step in steps if step.change.stage is Stage.LAYOUT]
    return replace(plan, steps=tuple(layout or steps))


@typed
def plan_of(diagnosis: Diagnosis, only: Collection[str] | None = None, skip: Collection[str] = ()) -> Plan:
    """What a repair makes of a diagnosis. Raises RefusedError where all that there is to change is refused."""
    plan = diagnosis.plan(only, skip)
    if not len(plan) and (left_out := diagnosis.left_out(only, skip)):
        raise RefusedError(f"{diagnosis.image}: {left_out[0].check}: {left_out[0].refused}")
    return plan


@typed
def whole_plan(
    image: str | os.PathLike[str],
    policy: Policy | None = None,
    data_disks: Iterable[str | os.PathLike[str]] = (),
    only: Collection[str] | None = None,
    skip: Collection[str] = (),
    choice: Choice = NOTHING_SAID,
) -> tuple[Plan, Diagnosis]:
    """All changes that a repair of an image makes, of all its rounds; and the diagnosis of the image with them made.

    The rounds are tried in memory. Where there are several, so is the plan as a whole: it is applied in one go.

    Raises as `mended`, and as `diagnose`.
    """
    from vmrescue.diagnosis import examine, open_disks
    from vmrescue.transaction.transaction import Transaction

    disks = tuple(data_disks)
    with open_disks([image, *disks]) as opened:
        found = examine(opened, policy or Policy.azure(), only, skip, choice)
    must_be_editable(found, only, skip)
    first = plan_of(found, only, skip)
    if not len(first):
        return first, found

    def trying() -> Transaction:
        return Transaction(image, disks, policy, writable=False, choice=choice)

    with trying() as transaction:
        receipt = mended(transaction, only, skip)
        after = receipt.after or found
    if receipt.plan.changes != first.changes:
        with trying() as transaction:
            after = transaction.apply(receipt.plan).after or after
    return receipt.plan, after


@typed
def must_be_editable(diagnosis: Diagnosis, only: Collection[str] | None = None, skip: Collection[str] = ()) -> None:
    """Raises RefusedError where the Windows itself is out of reach, and there is nothing else to mend."""
    from vmrescue.checks.rules import chosen

    chosen(only, skip)
    if diagnosis.locked and not len(diagnosis.plan(only, skip)):
        raise RefusedError(f"{diagnosis.image}: {diagnosis.refusal or diagnosis.locked}")
