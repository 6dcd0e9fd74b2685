"""What a person saw on the screen against what the rehearsal says: do they agree, and which findings explain it?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vmrescue.checks.screens import fits, screen_of
from vmrescue.checks.stop_codes import stop_code
from vmrescue.dataclass import dataclass
from vmrescue.rehearsal.endings import ENDINGS, FIRMWARE
from vmrescue.units import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vmrescue.checks.finding import Finding
    from vmrescue.checks.screens import Screen
    from vmrescue.checks.stop_codes import StopCode
    from vmrescue.rehearsal import Rehearsal, Stop

CODE = re.compile(r"0x[0-9a-f]{1,8}\b|\b[0-9a-f]{8}\b", re.IGNORECASE)
BOOT_PATH = "boot-path"


@dataclass(frozen=True)
class Symptom:
    """A code, or words from the screen.

    Attributes:
        text: as it was given.
        codes: the codes in it.
        stages: the stages in which a start can end so.
        checks: the checks that look for a cause.
    """

    text: str
    codes: tuple[int, ...]
    stages: tuple[str, ...]
    checks: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Symptom:
        codes = tuple(dict.fromkeys(int(found, 16) for found in CODE.findall(text)))
        if not codes and (named := stop_code(text)):
            codes = (named.number,)
        endings = [each for each in ENDINGS if _fits(text, codes, each.codes, each.screen)]
        known: list[StopCode | Screen] = [code for number in codes if (code := stop_code(f"{number:x}"))]
        if not codes and (screen := screen_of(text)):
            known.append(screen)
        return cls(
            text,
            codes,
            tuple(dict.fromkeys(each.stage for each in endings)),
            tuple(dict.fromkeys(check for each in known for check in each.checks)),
        )

    def is_that_of(self, stop: Stop) -> bool:
        """Whether a stop shows it."""
        return _fits(self.text, self.codes, stop.codes, stop.screen)

    def said(self, rehearsal: Rehearsal | None, findings: Sequence[Finding] = ()) -> str:
        """Whether the rehearsal agrees, and which of the findings may be the cause, in a sentence."""
        causes = dict.fromkeys(each.check for each in self.first([*findings], rehearsal) if each.check in self.checks)
        found = ", ".join(name for name in causes if name != BOOT_PATH)
        return self._agreed(rehearsal) + (f"; found, and may be the cause: {found}" if found else "")

    def _agreed(self, rehearsal: Rehearsal | None) -> str:
        stop = rehearsal.stop if rehearsal else None
        if stop is not None and self.is_that_of(stop):
            unsure = "" if stop.code or not self.codes else ", though no code is certain there"
            return f"the rehearsal agrees{unsure}: {stop}"
        later = rehearsal.later if rehearsal else None
        if later is not None and self.is_that_of(later):
            first = f"; {stop}" if stop else ""
            return f"the rehearsal agrees, of a start after two that failed: {later.reason}{first}"
        where = (
            f"a start can end so in the {plural(len(self.stages), 'stage')} {', '.join(self.stages)}"
            if self.stages
            else ""
        )
        if stop is not None:
            untold = self.codes and not stop.codes and stop.stage != FIRMWARE
            said = "cannot tell, as no source states the code that is shown there" if untold else "says otherwise"
            return f"the rehearsal {said}: {stop}" + (f"; {where}" if where else "")
        none = "the rehearsal found no stop" if rehearsal else "no start was rehearsed"
        return f"{none}, though {where}" if where else f"{none}; it is none of the stops that a rehearsal knows"

    def first(self, findings: list[Finding], rehearsal: Rehearsal | None) -> list[Finding]:
        """The findings, those that explain it before the others."""
        stops = (rehearsal.stop, rehearsal.later) if rehearsal else ()
        agrees = any(stop is not None and self.is_that_of(stop) for stop in stops)
        explaining = [BOOT_PATH] if agrees else []
        explaining += [check for check in self.checks if check != BOOT_PATH]
        ranks = {check: rank for rank, check in enumerate(explaining)}
        return sorted(findings, key=lambda finding: ranks.get(finding.check, len(ranks)))


def _fits(text: str, codes: tuple[int, ...], shown: frozenset[int], screen: str) -> bool:
    if codes:
        return not shown.isdisjoint(codes)
    return fits(text, screen)
