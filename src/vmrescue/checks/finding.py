"""What a check saw: its severity, what it means for the VM, the evidence, and the changes that would mend it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from vmrescue.checks.evidence import bounded, cut_text
from vmrescue.plan import Change, change_to_dict

LONGEST_LINE = 2000  # characters of a summary; ours have some hundred

Severity = Literal["critical", "warning", "advice"]
SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "advice")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or could be better.

    Attributes:
        check: the id of the rule that saw it.
        severity: ``critical`` keeps the VM from booting, ``warning`` may, ``advice`` would help.
        summary: what is there, in one line.
        meaning: what that means for the VM, in a sentence.
        step: the step of Microsoft's procedure that it stands for.
        evidence: what was found and what is wanted, as plain data.
        changes: the edits that mend it; empty where vmrescue cannot.
        on_request: whether a plan holds its changes only when the check is named.
        commands: what to run, as words, where more than changes of a plan would help.
        refused: why its changes cannot be made, or its commands would refuse, on these disks; None where they can.
    """

    check: str
    severity: Severity
    summary: str
    meaning: str
    step: str
    evidence: dict[str, Any]
    changes: tuple[Change, ...] = field(default=())
    on_request: bool = False
    commands: tuple[tuple[str, ...], ...] = field(default=())
    refused: str | None = None

    def __post_init__(self) -> None:
        """What an image says of itself is shown, and costs no more than a line: it may say any amount."""
        object.__setattr__(self, "evidence", bounded(self.evidence))
        if len(self.summary) > LONGEST_LINE:
            object.__setattr__(self, "summary", cut_text(self.summary))

    def to_dict(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "severity": self.severity,
            "summary": self.summary,
            "meaning": self.meaning,
            "step": self.step,
            "evidence": self.evidence,
            "changes": [change_to_dict(change) for change in self.changes],
            "on_request": self.on_request,
            "commands": [list(words) for words in self.commands],
            "refused": self.refused,
        }
