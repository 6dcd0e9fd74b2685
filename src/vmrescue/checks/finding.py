"""What a check saw: its severity, what it means for the VM, the facts, and the changes that would mend it."""

from __future__ import annotations

from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from vmrescue.checks.evidence import bounded, bounded_rows, cut_text
from vmrescue.dataclass import dataclass
from vmrescue.plan.change_document import change_to_dict

if TYPE_CHECKING:
    from vmrescue.checks.fact import Fact, Told
    from vmrescue.checks.intents import Intent
    from vmrescue.plan import Change

LONGEST_LINE = 2000  # characters of a summary; ours have some hundred

Severity = Literal["critical", "warning", "advice"]
SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "advice")
Applicability = Literal["safe", "on_request", "advice"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or could be better.

    Attributes:
        check: the id of the check that saw it.
        severity: ``critical`` keeps the VM from booting, ``warning`` may, ``advice`` would help.
        summary: what is there, in one line.
        meaning: what that means for the VM, in a sentence.
        step: the step of Microsoft's procedure that it stands for.
        facts: what was found and what is wanted.
        changes: the edits that mend it; empty where vmrescue cannot.
        declared: when a repair makes the changes of this check.
        intents: what would help more than changes of a plan do.
        tell: what the disk does not say and a person may: fields of the policy, or ``data_disks``.
        about: what it is about, as names of things on the disk: a finding without changes is mended together with one
            that is about the same and has some.
        parts: the same, of a finding that is mended only once each of these things is.
        refused: why its changes cannot be made, or what is advised would be refused, on these disks; None where it can.
    """

    check: str
    severity: Severity
    summary: str
    meaning: str
    step: str
    facts: tuple[Fact, ...] = ()
    changes: tuple[Change, ...] = field(default=())
    declared: Applicability = "safe"
    intents: tuple[Intent, ...] = ()
    tell: tuple[str, ...] = ()
    about: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    refused: str | None = None

    def __post_init__(self) -> None:
        """What an image says of itself is shown, and costs no more than a line: it may say any amount."""
        if len(self.summary) > LONGEST_LINE:
            object.__setattr__(self, "summary", cut_text(self.summary))

    @property
    def applicability(self) -> Applicability:
        """``safe``: a repair makes its changes; ``on_request``: only when the check is named; ``advice``: none."""
        return self.declared if self.changes else "advice"

    @property
    def on_request(self) -> bool:
        """Whether a plan holds changes of this check only when it is named."""
        return self.declared == "on_request"

    @property
    def left(self) -> str:
        """What is said of this finding where it is left unmended; others of its check may have been mended."""
        return f"{self.check}: left as it is: {self.summary}" + (f": {self.refused}" if self.refused else "")

    @cached_property
    def evidence(self) -> dict[str, Any]:
        """The facts as plain data, cut where an image makes them long."""
        return bounded({key: value for fact in self.facts for key, value in fact.to_dict().items()})

    def told(self) -> list[Told]:
        """The facts for a person, cut where an image makes them long."""
        return bounded_rows([told for fact in self.facts for told in fact.told()])

    def to_dict(self) -> dict[str, Any]:
        """All but how a command is typed, which the diagnosis adds."""
        return {
            "check": self.check,
            "severity": self.severity,
            "summary": self.summary,
            "meaning": self.meaning,
            "step": str(self.step),
            "evidence": self.evidence,
            "changes": [change_to_dict(change) for change in self.changes],
            "applicability": self.applicability,
            "on_request": self.on_request,
            "tell": list(self.tell),
            "refused": self.refused,
        }
