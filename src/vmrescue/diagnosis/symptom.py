"""What a person saw on the screen against what the rehearsal says: do they agree, and which findings explain it?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmrescue.checks.stop_codes import stop_code
from vmrescue.rehearsal.endings import ENDINGS

if TYPE_CHECKING:
    from vmrescue.checks.finding import Finding
    from vmrescue.rehearsal import Rehearsal, Stop

CODE = re.compile(r"0x[0-9a-f]{1,8}\b|\b[0-9a-f]{8}\b", re.IGNORECASE)
BOOT_PATH = "boot-path"
COMMON = {"a", "an", "and", "is", "of", "on", "or", "that", "the", "to", "with", "screen", "status", "code", "stop"}


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
        if not codes and (known := stop_code(text)):
            codes = (known.number,)
        endings = [each for each in ENDINGS if _fits(text, codes, each.code, each.screen)]
        known_codes = [code for number in codes if (code := stop_code(f"{number:x}"))]
        return cls(
            text,
            codes,
            tuple(dict.fromkeys(each.stage for each in endings)),
            tuple(dict.fromkeys(check for code in known_codes for check in code.checks)),
        )

    def is_that_of(self, stop: Stop) -> bool:
        """Whether a stop shows it."""
        return _fits(self.text, self.codes, stop.code, stop.screen)

    def said(self, rehearsal: Rehearsal | None) -> str:
        """Whether the rehearsal agrees, in a sentence."""
        stop = rehearsal.stop if rehearsal else None
        if stop is not None and self.is_that_of(stop):
            return f"the rehearsal agrees: {stop}"
        later = rehearsal.later if rehearsal else None
        if later is not None and self.is_that_of(later):
            first = f"; {stop}" if stop else ""
            return f"the rehearsal agrees, of a start after two that failed: {later.reason}{first}"
        where = f"a start can end so in the stages {', '.join(self.stages)}" if self.stages else ""
        if stop is not None:
            return f"the rehearsal says otherwise: {stop}" + (f"; {where}" if where else "")
        none = "the rehearsal found no stop" if rehearsal else "no start was rehearsed"
        return f"{none}; {where or 'it is none of the stops that a rehearsal knows'}"

    def first(self, findings: list[Finding], rehearsal: Rehearsal | None) -> list[Finding]:
        """The findings, those that explain it before the others."""
        stops = (rehearsal.stop, rehearsal.later) if rehearsal else ()
        agrees = any(stop is not None and self.is_that_of(stop) for stop in stops)
        explaining = {*self.checks} - {BOOT_PATH} | ({BOOT_PATH} if agrees else set())
        return sorted(findings, key=lambda finding: finding.check not in explaining)


def _fits(text: str, codes: tuple[int, ...], code: str, screen: str) -> bool:
    if codes:
        return bool(code) and int(code, 16) in codes
    words, shown = (_words(each) for each in (text, screen))
    return bool(words) and len(words & shown) >= min(2, len(words)) and len(words & shown) * 2 >= len(shown)


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]+", text.lower())) - COMMON
