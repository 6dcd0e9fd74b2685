"""The whole procedure on one disk: which steps there are, in which order, and when each is due; a command file of
Windows' run as one; and single tasks. No deed of its own.
"""

from __future__ import annotations

from vmrescue.commands.batch.runbook import Runbook
from vmrescue.procedure.outcome import Outcome, StepDone
from vmrescue.procedure.rescuing import rescue
from vmrescue.procedure.running import Run, run
from vmrescue.procedure.steps import STEPS
from vmrescue.procedure.tasks import backup, cleanup, defrag, expand

__all__ = [
    "Outcome",
    "Run",
    "Runbook",
    "STEPS",
    "StepDone",
    "backup",
    "cleanup",
    "defrag",
    "expand",
    "rescue",
    "run",
]
