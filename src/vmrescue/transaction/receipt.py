"""The receipt of a repair: what was found, planned and written, and where the backup is."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any

from vmrescue.dataclass import dataclass
from vmrescue.errors import RefusedError
from vmrescue.files import UNFINISHED
from vmrescue.image.transports.file import sync_folder
from vmrescue.transaction.versions import versions_of

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from vmrescue.diagnosis import Diagnosis
    from vmrescue.plan import Plan
    from vmrescue.transaction.refused import Skipped
    from vmrescue.transaction.target import Origin

SCHEMA = "vmrescue.receipt/1"
NAME = "receipt.json"
LARGEST = 512 << 20  # bytes: a plan may hold many large registry values, in base64
MICROSOFTS = {"bcdedit", "reg"}  # a step that one of these asked for has its name in the place of a check's
ROOM = 1 << 10  # bytes more than a receipt is expected to have
PROGRAMS = ("vmrescue", "dissect.fat", "dissect.ntfs", "dissect.regf", "libvhdi-python")


@dataclass(frozen=True)
class Written:
    """Bytes of an image's file that a repair changed; the hashes are SHA-256 of the range before and after."""

    offset: int
    length: int
    before: str
    after: str


@dataclass(frozen=True)
class Receipt:
    """What a repair did, or (`committed` False) would do.

    Attributes:
        image: the image's path.
        committed: whether the image was written.
        id: the repair's name in the folder beside the image; empty where nothing was written.
        folder: where backup and receipt are; None where nothing was written.
        plan: what was applied.
        before, after: the diagnoses, where there is a Windows to diagnose; `after` is that of the repaired disk.
        written: for each image that was changed, by path, the ranges of its file.
        backups: the rows of the backup's manifest.
        journals: the number of each changed image's undo journal.
        origin: what the image was made from, where a copy or a child was repaired.
        sha256: of a repaired copy's file.
        warnings: what was odd about the images' containers and partition tables; and which of the changed files have
            other names too (hard links), under which they change as well.
        skipped: what of the plan was left out, because it was refused.
        run: the id of the run over many images in which it was made.
        started, finished: UTC.
    """

    image: str
    committed: bool
    id: str
    folder: Path | None
    plan: Plan
    before: Diagnosis | None
    after: Diagnosis | None
    written: dict[str, list[Written]]
    started: datetime
    finished: datetime
    backups: list[dict[str, Any]] = field(default_factory=list)
    journals: dict[str, int] = field(default_factory=dict)
    origin: Origin | None = None
    sha256: str | None = None
    warnings: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    run: str | None = None

    @property
    def mends(self) -> bool:
        """Whether its plan was to mend what checks found, rather than what somebody asked for."""
        names = {step.check for step in self.plan.steps} - MICROSOFTS
        if not names:
            return False
        from vmrescue.checks.rules import CHECKS

        return any(name in CHECKS for name in names)

    @property
    def bytes_written(self) -> int:
        return sum(row.length for rows in self.written.values() for row in rows)

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "id": self.id,
            "run": self.run,
            "image": self.image,
            "committed": self.committed,
            "folder": str(self.folder) if self.folder else None,
            "started": self.started.isoformat(),
            "finished": self.finished.isoformat(),
            "versions": versions_of(PROGRAMS),
            "found": self.before.to_dict()["findings"] if self.before else None,
            "playbook": vars(self.plan.playbook) if self.plan.playbook else None,
            "plan": self.plan.to_dict(content=not self.committed),  # a dry run's can be applied
            "written": {path: [vars(row) for row in rows] for path, rows in self.written.items()},
            "backups": self.backups,
            "journals": self.journals,
            "origin": vars(self.origin) if self.origin else None,
            "sha256": self.sha256,
            "warnings": self.warnings,
            "skipped": [vars(step) for step in self.skipped],
            "remaining": self.after.to_dict()["findings"] if self.after else None,
        }

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=2) + "\n"


class ReceiptFile:
    """The file of a receipt: its room is taken before an image is changed, so that a full disk is noticed then.

    It lies in the folder of the repair under a name that says that it is unfinished, until it is complete.

    Raises:
        RefusedError: there is no room for it; nothing was changed.
    """

    def __init__(self, folder: Path, receipt: Receipt) -> None:
        self._unfinished = folder / f"{NAME}{UNFINISHED}"
        longest = replace(receipt, journals=dict.fromkeys(receipt.written, 1 << 32), sha256="0" * 64)
        try:
            with open(self._unfinished, "xb", buffering=0, opener=os.open) as stream:
                _write(stream.fileno(), longest.to_json().encode() + b" " * ROOM)
        except OSError as error:
            self.discard()
            raise RefusedError(
                f"nothing was changed: no receipt can be written to {folder}: {error.strerror}"
            ) from error

    def complete(self, folder: Path, receipt: Receipt) -> None:
        """Makes it the receipt, in the same folder, which may have got another name. Raises OSError."""
        unfinished = folder / self._unfinished.name
        with open(unfinished, "r+b", buffering=0, opener=os.open) as stream:
            data = receipt.to_json().encode()
            _write(stream.fileno(), data)
            os.ftruncate(stream.fileno(), len(data))
            os.fsync(stream.fileno())
        unfinished.rename(folder / NAME)
        sync_folder(folder)

    def discard(self) -> None:
        """The images are as they were: there is nothing to tell."""
        with suppress(OSError):
            self._unfinished.unlink()


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
    os.fsync(file)
