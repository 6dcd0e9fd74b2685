"""The whole procedure on one disk: which steps there are, in which order, and when each is due; a command file of
Windows' run as one; and single tasks. No deed of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.lazy import names_of

if TYPE_CHECKING:
    from vmrescue.commands.batch.runbook import Runbook
    from vmrescue.procedure.boot_store import BcdeditAnswer, bcdedit
    from vmrescue.procedure.hives import RegAnswer, reg
    from vmrescue.procedure.outcome import Outcome, StepDone
    from vmrescue.procedure.rescuing import rescue
    from vmrescue.procedure.running import Run, run
    from vmrescue.procedure.steps import STEPS
    from vmrescue.procedure.tasks import backup, cleanup, defrag, expand

__all__ = [
    "BcdeditAnswer",
    "Outcome",
    "RegAnswer",
    "Run",
    "Runbook",
    "STEPS",
    "StepDone",
    "backup",
    "bcdedit",
    "cleanup",
    "defrag",
    "expand",
    "reg",
    "rescue",
    "run",
]

__getattr__ = names_of(  # a question to a hive's file needs little of this
    __name__,
    {
        "BcdeditAnswer": "boot_store",
        "Outcome": "outcome",
        "RegAnswer": "hives",
        "Run": "running",
        "Runbook": "running",
        "STEPS": "steps",
        "StepDone": "outcome",
        "backup": "tasks",
        "bcdedit": "boot_store",
        "cleanup": "tasks",
        "defrag": "tasks",
        "expand": "tasks",
        "reg": "hives",
        "rescue": "rescuing",
        "run": "running",
    },
)
