"""What became of a rescue: of each step, of the disk, and what is left to do."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, Literal

from vmrescue.dataclass import dataclass
from vmrescue.diagnosis.command_line import next_commands

if TYPE_CHECKING:
    from vmrescue.checks import Finding
    from vmrescue.diagnosis import Diagnosis
    from vmrescue.plan import Plan
    from vmrescue.procedure.steps import ProcedureStep
    from vmrescue.rehearsal import Rehearsal
    from vmrescue.transaction import Receipt
    from vmrescue.transaction.defragmenting import Defragmented

State = Literal["done", "partly", "left", "not due", "not wanted"]


@dataclass(frozen=True)
class StepDone:
    """A step and what became of it.

    Attributes:
        step: which.
        state: ``done``: its changes were made (or would be); ``partly``: they were, and something is left; ``left``: it
            is due and was not made; ``not due``: there is nothing for it to do; ``not wanted``.
        changes: how many.
        because: why something is left, in sentences.
    """

    step: ProcedureStep
    state: State
    changes: int = 0
    because: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "step": self.step.id,
            "title": self.step.title,
            "state": self.state,
            "changes": self.changes,
            "because": list(self.because),
        }


@dataclass(frozen=True)
class Outcome:
    """What a rescue did, or (where `receipts` are of a dry run) would do.

    Attributes:
        image: what was rescued: the image, or what was made of it.
        steps: each with what became of it, in their order.
        plans: what was applied, one after the other.
        receipts: of what was written; one, since a rescue is one thing to undo.
        before, after: the diagnoses of the disk as it was found and as it is left.
        defragmented: what was moved on the volume of Windows before that, where it was asked for.
        notes: what the person should know besides.
    """

    image: str
    steps: tuple[StepDone, ...]
    plans: tuple[Plan, ...]
    receipts: tuple[Receipt, ...]
    before: Diagnosis
    after: Diagnosis
    defragmented: Defragmented | None = None
    notes: tuple[str, ...] = ()

    @property
    def committed(self) -> bool:
        """Whether something was written."""
        return any(receipt.committed for receipt in self.receipts)

    @property
    def remaining(self) -> list[Finding]:
        """What is left that is worse than advice."""
        return [finding for finding in self.after.findings if finding.severity != "advice"]

    @property
    def rehearsal(self) -> Rehearsal | None:
        """The boot path of the disk as it is left; None where it could not be followed."""
        return self.after.boot

    def next_of(self, finding: Finding) -> list[str]:
        """The commands that help with what is left."""
        return [shlex.join(words) for words in next_commands(self.after, finding)]

    def to_dict(self) -> dict[str, Any]:
        after = self.after.to_dict()
        return {
            "schema": "vmrescue.rescue/1",
            "image": self.image,
            "committed": self.committed,
            "steps": [step.to_dict() for step in self.steps],
            "defragmented": self.defragmented.to_dict() if self.defragmented else None,
            "receipts": [receipt.to_dict() for receipt in self.receipts],
            "remaining": [finding for finding in after["findings"] if finding["severity"] != "advice"],
            "not_checked": after["not_checked"],
            "boot": after["boot"],
            "notes": [*self.notes],
        }
