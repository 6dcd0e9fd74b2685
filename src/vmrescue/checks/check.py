"""A check: what it is called, what it says of itself, and the function that looks.

    @check("bad-memory", family="memory", severity="critical", title=…, meaning=…, …)
    def bad_memory(subject: Subject) -> Iterator[Finding]:
        …
        yield bad_memory.finding("what is there, in one line", facts=(…,), changes=(…,))

The declaration is the only place for these texts: findings, `explain`, the help, and docs/checks.md take them from
here. They do not mention the command line. The code that shows them adds the option for a repair.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from vmrescue.checks.finding import Finding
from vmrescue.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from vmrescue.checks.fact import Fact
    from vmrescue.checks.finding import Applicability, Severity
    from vmrescue.checks.intents import Intent
    from vmrescue.checks.steps import RunbookStep
    from vmrescue.checks.subject import Part, Subject
    from vmrescue.plan import Change

    Look = Callable[[Subject], Iterator[Finding]]

Family = Literal["memory", "storage", "boot", "settings"]
FAMILIES: tuple[Family, ...] = get_args(Family)


@dataclass(frozen=True)
class Check:
    """A check as it is declared.

    Attributes:
        id: its name, in lower case with hyphens.
        family: what it is about.
        severity: that of its findings; the worst, where they differ.
        title: what is wrong, in a few words.
        meaning: what that means for the VM, in a sentence or two; a finding may say it more exactly.
        fires: when there is a finding.
        repair: what a repair does about it.
        source: where Microsoft, or the structure on the disk, says so.
        step: the step of Microsoft's procedure that it stands for.
        needs: the parts that it looks at; where one is missing, it is not run, and why is said.
        applicability: whether a repair makes its changes by itself, on request, or never.
        advises: what it may advise beyond its changes.
        look: yields the findings.
    """

    id: str
    family: Family
    severity: Severity
    title: str
    meaning: str
    fires: str
    repair: str
    source: str
    step: RunbookStep
    needs: tuple[Part, ...]
    applicability: Applicability
    advises: tuple[type[Intent], ...]
    look: Look

    def finding(
        self,
        summary: str,
        *,
        facts: Sequence[Fact],
        meaning: str | None = None,
        severity: Severity | None = None,
        changes: Sequence[Change] = (),
        intents: Sequence[Intent] = (),
        tell: Sequence[str] = (),
        about: Sequence[str] = (),
        parts: Sequence[str] = (),
    ) -> Finding:
        """A finding of this check: what is not said here is as it was declared."""
        return Finding(
            check=self.id,
            severity=severity or self.severity,
            summary=summary,
            meaning=meaning or self.meaning,
            step=self.step,
            facts=tuple(facts),
            changes=tuple(changes),
            declared=self.applicability,
            intents=tuple(intents),
            tell=tuple(tell),
            about=tuple(about),
            parts=tuple(parts),
        )


def check(
    name: str,
    *,
    family: Family,
    severity: Severity,
    title: str,
    meaning: str,
    fires: str,
    repair: str,
    source: str,
    step: RunbookStep,
    needs: tuple[Part, ...],
    applicability: Applicability = "safe",
    advises: tuple[type[Intent], ...] = (),
) -> Callable[[Look], Check]:
    """Makes a check of a function that looks. The table in `checks.rules` lists it."""

    def declared(look: Look) -> Check:
        return Check(
            name, family, severity, title, meaning, fires, repair, source, step, needs, applicability, advises, look
        )

    return declared
