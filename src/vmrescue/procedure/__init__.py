"""The whole procedure on one disk: which steps there are, in which order, and when each is due; no deed of its own."""

from __future__ import annotations

from vmrescue.procedure.outcome import Outcome, StepDone
from vmrescue.procedure.rescuing import rescue
from vmrescue.procedure.steps import STEPS

__all__ = ["Outcome", "STEPS", "StepDone", "rescue"]
