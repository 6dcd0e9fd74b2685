"""A new image: under a name that says that it is unfinished, until it is complete and on stable storage.

``NAME.unfinished`` is made where nothing is, so that no link which lies in wait is followed. Its journals, backups and
receipts come to lie beside it, as any image's do. When all is done the folder gets its name first, then the image;
neither replaces anything. So a crash or a kill leaves nothing under the image's name but the image. What it does leave
is shown to whoever wants to make an image of that name, and neither used nor deleted: that is for the person to decide.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from vmrescue.errors import AfterCommitError, RefusedError, RepairFailedError, WriteError
from vmrescue.files import UNFINISHED, give_name
from vmrescue.image.journal import journal_folder
from vmrescue.image.transports.file import sync_folder
from vmrescue.interrupts import held

if TYPE_CHECKING:
    from collections.abc import Iterator


def must_be_new(path: str | os.PathLike[str]) -> None:
    """Raises RefusedError where an image of this name is there, or what is left of one, or of an attempt to make it; or
    where no file of that name can be made.
    """
    if not Path(path).absolute().parent.is_dir():
        raise RefusedError(f"{path} cannot be made: {Path(path).absolute().parent} is no folder")
    if os.path.lexists(path):
        raise RefusedError(f"{path} exists already; it is not overwritten")
    unfinished = _unfinished(path)
    if left := [each for each in (unfinished, journal_folder(unfinished)) if os.path.lexists(each)]:
        raise RefusedError(
            f"{' and '.join(map(str, left))} {'is' if len(left) == 1 else 'are'} there: unless something else is making"
            f" {path} now, that was interrupted; delete what it left, and try again"
        )
    if os.path.lexists(folder := journal_folder(path)):
        raise RefusedError(
            f"{folder} is there, with the journals, backups and receipts of an earlier image of that name: move or"
            " delete it first"
        )


def _unfinished(path: str | os.PathLike[str]) -> Path:
    return Path(f"{os.fspath(path)}{UNFINISHED}")


class NewImage:
    """An image that is being made; see `new_image`.

    Attributes:
        path: its name.
        unfinished: where it is until `finish`.
        finished: whether it has its name.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.unfinished = _unfinished(path)
        self.finished = False
        self._is_ours = False

    @property
    def folder(self) -> Path:
        """Where its journals, backups and receipts are."""
        return journal_folder(self.path if self.finished else self.unfinished)

    def begin(self) -> None:
        """Makes an empty file. Raises RefusedError where a name is taken, or no file can be made."""
        must_be_new(self.path)
        with held():
            try:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                os.close(os.open(self.unfinished, flags, 0o666))
            except FileExistsError as error:
                raise RefusedError(f"{self.unfinished} exists already; it is not overwritten") from error
            except OSError as error:
                raise RefusedError(f"nothing was done: cannot create {self.unfinished}: {error.strerror}") from error
            self._is_ours = True

    def finish(self) -> None:
        """Gives it its name, and the folder beside it. Its content must be on stable storage.

        Raises:
            RefusedError: something else has got that name meanwhile. WriteError.
        """
        folder, final = journal_folder(self.unfinished), journal_folder(self.path)
        moved = False
        with held():
            try:
                if folder.is_dir():
                    folder.rename(final)  # the operating system replaces no folder that holds anything
                    moved = True
                give_name(self.unfinished, self.path)
                self.finished = True
                sync_folder(self.path.absolute().parent)
            except OSError as error:
                if moved and not self.finished:
                    final.rename(folder)
                if isinstance(error, FileExistsError):
                    raise RefusedError(f"{self.path} exists already; it is not overwritten") from error
                raise WriteError(f"cannot give {self.unfinished} the name {self.path}: {error.strerror}") from error

    def discard(self) -> None:
        """Deletes what there is of it."""
        with held():
            if self._is_ours and not self.finished:
                self.unfinished.unlink(missing_ok=True)
                shutil.rmtree(journal_folder(self.unfinished), ignore_errors=True)
                self._is_ours = False


@contextmanager
def new_image(path: str | os.PathLike[str]) -> Iterator[NewImage]:
    """An empty file to be filled and synced, under a name that says that it is unfinished; the block's end finishes it.

    Where the block raises, what there is of it is deleted again.

    Raises:
        RefusedError: an image of that name is there, or what is left of one. WriteError.
    """
    new = NewImage(path)
    try:
        new.begin()
        yield new
        if not new.finished:
            new.finish()
    except BaseException as error:
        if new.finished:
            raise
        new.discard()
        if isinstance(error, AfterCommitError):  # what it was about is gone
            raise RepairFailedError(f"{error}; but {path} is not kept") from error
        error.add_note(f"{path} was not made")
        raise
