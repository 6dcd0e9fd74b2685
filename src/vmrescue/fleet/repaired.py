"""What a run of repairs yields for each image: what was made, what is left, and how it is taken back; or why not."""

from __future__ import annotations

import shlex
from dataclasses import asdict, field
from typing import TYPE_CHECKING, Any, Literal

from vmrescue.dataclass import dataclass
from vmrescue.errors import VmRescueError
from vmrescue.fleet.result import ImageError

if TYPE_CHECKING:
    from vmrescue.diagnosis import Diagnosis
    from vmrescue.plan import Step
    from vmrescue.transaction import Receipt

SCHEMA = "vmrescue.run/1"
LEFT = 1  # exit status: findings worse than advice are left
RepairStatus = Literal["repaired", "due", "unchanged", "same", "refused", "failed", "error"]


@dataclass(frozen=True)
class RepairResult:
    """One image of a run.

    Attributes:
        image: its path or URL as it was given, a URL without the secrets in it.
        run: the id of the run, which the receipt beside the image has too.
        status: ``repaired``; ``due``: it would be (of a dry run); ``unchanged``: there was nothing to make; ``same``:
            another name of an image of this run; ``refused``, ``failed`` (rolled back), ``error``: `error` says why.
        exit_status: what `vmrescue` would end with for this image alone: 1 where findings worse than advice are left.
        dry_run: whether nothing was to be written.
        seconds: how long it took, by the clock.
        made: what was made, or would be: ``check`` and ``title`` of each change.
        left: the findings that are left: ``check``, ``severity``, ``summary``, and ``commands``, what to type next.
        not_checked: ``check`` and ``because`` of each check that could not be run.
        bytes_written: to the image's file.
        id, folder: of the repair: its name, and where its backup and receipt are.
        journal: the number of its undo journal; None where nothing was written.
        notes: what is odd about the image; that an interrupted repair of it was rolled back, too.
        digest: of what was, or would be, made: two runs with the same one make the same changes.
    """

    image: str
    run: str
    status: RepairStatus
    exit_status: int = 0
    dry_run: bool = False
    seconds: float = 0.0
    made: tuple[dict[str, str], ...] = ()
    left: tuple[dict[str, Any], ...] = ()
    not_checked: tuple[dict[str, str], ...] = ()
    bytes_written: int = 0
    id: str | None = None
    folder: str | None = None
    journal: int | None = None
    error: ImageError | None = None
    notes: tuple[str, ...] = field(default=())
    digest: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The result as docs/fleet.md describes it."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "digest"}
        lists = {name: list(plain[name]) for name in ("made", "left", "not_checked", "notes")}
        error = asdict(self.error) if self.error else None
        return {"schema": SCHEMA, **plain, **lists, "seconds": round(self.seconds, 6), "error": error}


def failed(image: str, run: str, reason: BaseException, dry_run: bool, seconds: float) -> RepairResult:
    """The result of an image of which nothing came."""
    status = reason.exit_status if isinstance(reason, VmRescueError) else VmRescueError.exit_status
    kinds: dict[int, RepairStatus] = {4: "refused", 5: "failed"}
    said = ImageError.of(reason)
    return RepairResult(image, run, kinds.get(status, "error"), status, dry_run, seconds, error=said)


def left_of(after: dict[str, Any]) -> dict[str, Any]:
    """`left`, `not_checked` and `exit_status`, from a diagnosis's document."""
    unchecked = tuple({"check": each["check"], "because": each["because"]} for each in after.get("not_checked", ()))
    findings = tuple(map(_in_brief, after["findings"]))
    worse = any(finding["severity"] != "advice" for finding in findings) or bool(unchecked)
    return {"left": findings, "not_checked": unchecked, "exit_status": LEFT if worse else 0}


def _in_brief(finding: dict[str, Any]) -> dict[str, Any]:
    """A finding that is left, and what is to be typed next."""
    following = [finding["repair"]] if finding.get("repair") else []
    return {
        **{name: finding[name] for name in ("check", "severity", "summary")},
        "commands": [shlex.join(words) for words in (*following, *finding.get("commands", ()))],
    }


def made_of(steps: tuple[Step, ...]) -> tuple[dict[str, str], ...]:
    """`made`, from a plan's steps."""
    return tuple({"check": step.check, "title": step.change.title} for step in steps)


def of_receipt(receipt: Receipt, after: Diagnosis | None) -> dict[str, Any]:
    """What a receipt tells, by the names of `RepairResult`."""
    told: dict[str, Any] = {"made": made_of(receipt.plan.steps), "bytes_written": receipt.bytes_written}
    told |= left_of(after.to_dict()) if after else {}
    if receipt.committed:
        told |= {"id": receipt.id, "folder": str(receipt.folder), "journal": receipt.journals.get(receipt.image)}
    return told
