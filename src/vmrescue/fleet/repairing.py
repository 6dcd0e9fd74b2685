"""The repair of one image of many: what is sent to a worker, and what comes back whatever becomes of the image.

An image is repaired as by itself: diagnosed, tried in memory, journalled, confirmed. A worker that dies leaves it as a
crash does: its journal is hot, and whoever opens it next to write, such as the worker that tries it again, rolls it
back first. One that dies after the commit, before anybody has heard of it, leaves a receipt with the run's id: that is
what is told then.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vmrescue.dataclass import dataclass
from vmrescue.errors import AfterCommitError, RefusedError, VmRescueError
from vmrescue.files import open_regular, read_whole
from vmrescue.fleet.repaired import RepairResult, failed, left_of, of_receipt
from vmrescue.image import accepting, parents_in
from vmrescue.image.journal import is_hot
from vmrescue.image.notices import listening
from vmrescue.image.reference import Reference
from vmrescue.plan.change_document import change_from_dict
from vmrescue.playbook import Playbook
from vmrescue.progress import on_progress
from vmrescue.transaction import history, mended
from vmrescue.transaction.machine import Machine
from vmrescue.transaction.receipt import LARGEST
from vmrescue.windows.installation import NOTHING_SAID

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.checks import Policy
    from vmrescue.fleet.result import ImageError
    from vmrescue.plan import Plan
    from vmrescue.transaction import Receipt
    from vmrescue.windows import Choice

OTHER_PLAN = "what is due is not what the dry run showed: the image was changed since; nothing was written"


@dataclass(frozen=True)
class Repairing:
    """What is done to every image; calling it with one does it. It can be pickled.

    Attributes:
        run: the id of the run.
        policy: what counts as right.
        only, skip: ids of the checks whose findings are mended, and are not.
        plan: what is done, instead of what the diagnosis proposes; a playbook's is made for each image.
        skip_refused: make what can be made where a change of `plan` is refused.
        dry_run: do all in memory, and write nothing.
        expected: by image, the digest of what a person has agreed to; anything else is refused. None: all is agreed to.
        accept: the names of risks that are taken.
        parents: where differencing VHDs' parents are, if neither beside them nor where they say.
        choice: which boot store and which Windows boot, where a person says so of all.
    """

    run: str
    policy: Policy
    only: tuple[str, ...] | None = None
    skip: tuple[str, ...] = ()
    plan: Plan | Playbook | None = None
    skip_refused: bool = False
    dry_run: bool = False
    expected: dict[str, str] | None = None
    accept: tuple[str, ...] = ()
    parents: Path | None = None
    choice: Choice = NOTHING_SAID

    def __call__(self, image: str) -> RepairResult:
        """Never raises: whatever becomes of an image is its result."""
        begun, shown = time.perf_counter(), Reference.of(image).shown
        notes: list[str] = []
        try:
            with (
                on_progress(None),  # of each image nothing: that its result comes says enough
                listening(lambda path, warning: notes.append(warning)),
                accepting(self.accept),
                parents_in(self.parents),
            ):
                told = self._done_before(image) or self._do(image)
        except AfterCommitError as error:  # changed and sound: it is to be found again, and taken back
            told = self._after_commit(image, error)
        except Exception as reason:  # noqa: BLE001 - one image, however odd, must not end a run of thousands
            return replace(
                failed(shown, self.run, reason, self.dry_run, time.perf_counter() - begun),
                notes=tuple(dict.fromkeys(notes)),
            )
        seconds = time.perf_counter() - begun
        found = tuple(dict.fromkeys([*notes, *told.pop("notes", ())]))
        return RepairResult(shown, self.run, dry_run=self.dry_run, seconds=seconds, notes=found, **told)

    def failed(self, image: str, error: ImageError, seconds: float) -> RepairResult:
        """The result of an image whose worker was lost, or took too long."""
        shown = Reference.of(image).shown
        said = error.message
        try:
            if not Reference.of(image).is_remote and is_hot(image):
                said += "; the repair was cut, and is rolled back when the image is next opened to write (or by undo)"
        except VmRescueError as reason:
            said += f"; whether the repair was cut cannot be seen: {reason}"
        told = replace(error, message=said)
        return RepairResult(shown, self.run, "failed", 5, self.dry_run, seconds, error=told)

    def _do(self, image: str) -> dict[str, Any]:
        """The fields of the result."""
        with Machine(image, (), self.policy, self.choice).opened(not self.dry_run, run=self.run) as transaction:
            plan = self.plan
            if isinstance(plan, Playbook):
                compiled = plan.compile_for(transaction.disks(), self.choice)
                if compiled.plan is None:
                    return {"status": "unchanged", "notes": (f"{plan.id.name} is not for it: {compiled.because}",)}
                plan = compiled.plan
            receipt = (
                mended(transaction, self.only, self.skip)
                if plan is None
                else transaction.apply(plan, self.skip_refused)
            )
            by = [f"by the {receipt.plan.playbook}"] if receipt.plan.playbook and len(receipt.plan) else []
            skipped = [f"not made: {step.title} ({step.check}): {step.because}" for step in receipt.skipped]
            told = self._judged(image, [receipt.plan], receipt) | {"notes": [*by, *skipped]}
            if told["status"] != "due" or self.dry_run:
                return told
            return told | of_receipt(transaction.commit(receipt), receipt.after) | {"status": "repaired"}

    def _judged(self, image: str, plans: list[Plan], receipt: Receipt | None) -> dict[str, Any]:
        """What is due, compared with what was agreed to. Raises RefusedError where that is something else."""
        digest = digest_of(plans)
        due = receipt is not None and bool(receipt.written)
        if due and self.expected is not None and self.expected.get(image) != digest:
            raise RefusedError(OTHER_PLAN)
        told = of_receipt(receipt, receipt.after) if receipt else {}
        return told | {"status": "due" if due else "unchanged", "digest": digest}

    def _done_before(self, image: str) -> dict[str, Any] | None:
        """What was made of the image in this run already, by a worker or a run that ended before it could say so."""
        if self.dry_run or Reference.of(image).is_remote or not Reference.of(image).journal_folder.is_dir():
            return None
        for past in history(image):
            if past.state == "done" and past.receipt and (found := _receipt(past.receipt)).get("run") == self.run:
                return {
                    "status": "repaired",
                    "made": tuple({"check": step["check"], "title": _title(step)} for step in found["plan"]["steps"]),
                    **left_of({"findings": found["remaining"] or []}),
                    "bytes_written": past.bytes_written,
                    "id": past.receipt.parent.name,
                    "folder": str(past.receipt.parent),
                    "journal": past.number,
                    "notes": ("this run had repaired it before: what is told is what its receipt says",),
                }
        return None

    def _after_commit(self, image: str, error: AfterCommitError) -> dict[str, Any]:
        from vmrescue.fleet.result import ImageError

        numbers = [past.number for past in history(image) if past.state == "done"]
        return {
            "status": "repaired",
            "exit_status": error.exit_status,
            "journal": max(numbers, default=None),
            "error": ImageError.of(error),
        }


@dataclass(frozen=True)
class Rescuing(Repairing):
    """The whole procedure, done to every image.

    Attributes:
        steps, without: the ids of the steps that are made, and are not.
        size: how large a disk may become, in bytes.
    """

    steps: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    size: int | None = None

    def _do(self, image: str) -> dict[str, Any]:
        from vmrescue.procedure.rescuing import carry_out, plan_rescue

        if not self.dry_run:
            _settle(image)
        machine = Machine(image, (), self.policy, self.choice)
        planned = plan_rescue(machine, self.steps or None, self.without, self.size)
        receipt = planned.receipts[0] if planned.receipts else None
        told = self._judged(image, list(planned.plans), receipt) | left_of(planned.after.to_dict())
        if told["status"] != "due" or self.dry_run:
            return told
        done = carry_out(planned, machine, run=self.run)
        return told | of_receipt(done.receipts[0], done.after) | {"status": "repaired"}


def _settle(image: str) -> None:
    """Rolls a repair that was interrupted back, before the image is only read."""
    from vmrescue.image import EditSession

    if not Reference.of(image).is_remote and is_hot(image):
        EditSession(image).close()


def digest_of(plans: list[Plan]) -> str:
    """Of what plans make of which disk."""
    return hashlib.sha256(json.dumps([plan.to_dict() for plan in plans], sort_keys=True).encode()).hexdigest()


def _title(step: dict[str, Any]) -> str:
    """What a step of a receipt does: a file's content is not in it, and then its reason says enough."""
    try:
        return change_from_dict(step["change"]).title
    except (KeyError, TypeError, ValueError, VmRescueError):
        return str(step["reason"])


def _receipt(path: Path) -> dict[str, Any]:
    """A receipt as it was written; nothing where it is none of ours."""
    try:
        with open(path, "rb", opener=open_regular) as stream:
            found = json.loads(read_whole(stream, LARGEST))
    except (OSError, ValueError, RecursionError, VmRescueError):
        return {}
    return found if isinstance(found, dict) else {}
