"""What worker processes of the tests do; it can be imported in them, as a test module cannot."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import vmrescue.transaction.commit as committing
from vmrescue.image import opening
from vmrescue.transaction.receipt import ReceiptFile

if TYPE_CHECKING:
    from vmrescue.image.reference import Reference
    from vmrescue.transaction import Receipt
    from vmrescue.transaction.commit import EditedImage


def die_at(name: str, mark: str) -> None:
    """Has this process killed when it opens an image of that name; once only, if `mark` names a file to be made."""
    honest = opening._open_file

    def open_file(place: Reference, writable: bool) -> object:
        if place.name == name and not (mark and Path(mark).exists()):
            if mark:
                Path(mark).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return honest(place, writable)

    opening._open_file = open_file  # type: ignore[assignment]


def die_in_commit(name: str, mark: str, at: str) -> None:
    """Has this process killed once while, or right after, it commits to an image of that name; `mark` is made then."""
    honest, complete = committing._confirm, ReceiptFile.complete

    def confirm(image: EditedImage) -> None:
        if at == "commit":  # all is written, and the journal is hot
            _die(image.place.name == name, mark)
        honest(image)

    def completed(self: ReceiptFile, folder: Path, receipt: Receipt) -> None:
        complete(self, folder, receipt)
        if at != "commit":
            _die(Path(receipt.image).name == name, mark)

    committing._confirm = confirm
    ReceiptFile.complete = completed  # type: ignore[method-assign]


def _die(wanted: bool, mark: str) -> None:
    if wanted and not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
