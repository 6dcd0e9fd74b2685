"""What a play of a fault found, as `expect.json` beside its recipe keeps it.

It is a recording, which `python -m tests.faults --update` makes anew. What must not be decided by a recording stands in
the recipe, by hand: `support.fault`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

from support.judges import Verdict  # noqa: TC001 - read when a recording is
from support.strict import read, wrong
from vmrescue.errors import FormatError
from vmrescue.json_text import json_text

LARGEST = 1 << 20  # bytes of a file; one has a few thousand

Status = Literal[0, 1, 2, 3, 4, 5, 6]
Severity = Literal["critical", "warning", "advice"]
StageName = Literal["firmware", "boot-manager", "memory", "loader", "drivers", "storage", "session"]
State = Literal["ok", "odd", "unknown", "stop"]


@dataclass(frozen=True)
class Found:
    """A finding."""

    check: str
    severity: Severity
    summary: str


@dataclass(frozen=True)
class Stop:
    """Where a start ends: the stage, and the code on the screen, if there is one."""

    stage: StageName
    code: str

    def __str__(self) -> str:
        return f"{self.stage} {self.code}".strip()


@dataclass(frozen=True)
class Diagnosis:
    """What one found.

    Attributes:
        status: the command's exit status.
        findings: in their order.
        not_checked: the checks that could not run.
        stages: of the boot path; none where it could not be rehearsed.
        stop: where the start ends.
        later: the code of a start after two that failed, where that is another.
    """

    status: Status
    findings: tuple[Found, ...]
    not_checked: tuple[str, ...]
    stages: dict[StageName, State]
    stop: Stop | None
    later: str | None


@dataclass(frozen=True)
class Change:
    """A change that was made: of which check, what kind, and in which file or place."""

    check: str
    kind: str
    place: str


@dataclass(frozen=True)
class Repair:
    """What one did, and what came after it.

    Attributes:
        status: the command's exit status; 4 where it was refused, and there is nothing after it.
        changes: those that the receipt names.
        judges: what other people's tools say of the disk after it.
        after: a second diagnosis.
        again: the exit status of a second repair, which must write nothing.
        undo: that of the undo, which must give the first bytes back.
    """

    status: Status
    changes: tuple[Change, ...] = ()
    judges: dict[str, Verdict] | None = None
    after: Diagnosis | None = None
    again: Status | None = None
    undo: Status | None = None


@dataclass(frozen=True)
class Record:
    """A play: the diagnosis, the exit status of a rehearsal, and a repair where the recipe has one."""

    diagnosis: Diagnosis
    rehearsal: Status
    repair: Repair | None

    @classmethod
    def from_json(cls, data: bytes, file: str) -> Record:
        """Raises FormatError, which names the file and the field."""
        if len(data) > LARGEST:
            raise FormatError(file, None, f"at most {LARGEST} bytes", len(data))
        try:
            return read(cls, json.loads(data.decode(), object_pairs_hook=lambda pairs: _once(pairs, file)), file)
        except (ValueError, RecursionError) as error:
            raise FormatError(file, None, "JSON", f"{error}") from error

    def to_json(self) -> str:
        return json_text(asdict(self))


def _once(pairs: list[tuple[str, Any]], file: str) -> dict[str, Any]:
    """The fields of an object, none of them twice: the second would hide the first."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            wrong(file, f"{key:.60}", "this field once", "it twice")
        found[key] = value
    return found


def diagnosis_of(document: dict[str, Any], status: int, file: str) -> Diagnosis:
    """What is kept of the document that ``vmrescue diagnose --format json`` prints."""
    boot = document.get("boot") or {}
    stop, later = boot.get("stop"), boot.get("later")
    kept = {
        "status": status,
        "findings": [{name: each[name] for name in ("check", "severity", "summary")} for each in document["findings"]],
        "not_checked": sorted({each["check"] for each in document["not_checked"]}),
        "stages": {stage["id"]: stage["state"] for stage in boot.get("stages", [])},
        "stop": stop and {"stage": stop["stage"], "code": stop["code"] or ""},
        "later": later and later["code"],
    }
    return read(Diagnosis, kept, file)
