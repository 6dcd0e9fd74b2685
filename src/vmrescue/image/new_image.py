"""A new image, which has the name ``NAME.unfinished`` until it is complete and on stable storage.

The file must not exist before, so that no link that somebody prepared is followed. Its journals, backups and receipts
are beside it, as with any image. At the end the folder gets its final name first, then the image; neither replaces
anything. So after a crash or a kill, a file with the image's name is always complete. What is left unfinished is
reported to the next command that makes an image of that name; it is neither used nor deleted.
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
from vmrescue.units import by_number

if TYPE_CHECKING:
    from collections.abc import Iterator


def must_be_new(path: str | os.PathLike[str]) -> None:
    """Raises RefusedError if the image, its journals or an unfinished one exist, or the file cannot be made."""
    try:
        _must_be_new(path)
    except OSError as error:
        raise RefusedError(f"{path} cannot be made: {Path(path).absolute().parent}: {error.strerror}") from error


def _must_be_new(path: str | os.PathLike[str]) -> None:
    if not Path(path).absolute().parent.is_dir():
        raise RefusedError(f"{path} cannot be made: {Path(path).absolute().parent} is no folder")
    if os.path.lexists(path):
        raise RefusedError(f"{path} exists already; it is not overwritten")
    unfinished = _unfinished(path)
    if left := _left_of(unfinished):
        raise RefusedError(
            f"{' and '.join(map(str, left))} {by_number(len(left), 'is', 'are')} there: unless something else is making"
            f" {path} now, that was interrupted; delete what it left, and try again"
        )
    if os.path.lexists(folder := journal_folder(path)):
        raise RefusedError(
            f"{folder} is there, with the journals, backups and receipts of an earlier image of that name: move or"
            " delete it first"
        )


def _left_of(unfinished: Path) -> list[Path]:
    """What there is of an unfinished image: itself, what was being made of it, the folder beside it."""
    with os.scandir(unfinished.absolute().parent) as found:
        names = [each.name for each in found]
    mine = (name for name in names if name == unfinished.name or name.startswith(f"{unfinished.name}."))
    return [unfinished.with_name(name) for name in sorted(mine)]


def _unfinished(path: str | os.PathLike[str]) -> Path:
    return Path(f"{os.fspath(path)}{UNFINISHED}")


class NewImage:
    """An image that is being made; see `new_image`.

    Attributes:
        path: its final path.
        unfinished: its path until `finish`.
        finished: whether it has its final path.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.unfinished = _unfinished(path)
        self.finished = False
        self._is_ours = False

    @property
    def folder(self) -> Path:
        """The folder of its journals, backups and receipts."""
        return journal_folder(self.path if self.finished else self.unfinished)

    def begin(self) -> None:
        """Makes an empty file. Raises RefusedError if a name is taken, or no file can be made."""
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
        """Gives the image and the folder beside it their final names. The content must be on stable storage.

        Raises:
            RefusedError: something else has that name meanwhile.
            WriteError: the operating system refused.
        """
        folder, final = journal_folder(self.unfinished), journal_folder(self.path)
        moved = False
        with held():
            try:
                if folder.is_dir():
                    folder.rename(final)  # the operating system replaces no folder that is not empty
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
        """Deletes the unfinished file."""
        with held():
            if self._is_ours and not self.finished:
                self.unfinished.unlink(missing_ok=True)
                shutil.rmtree(journal_folder(self.unfinished), ignore_errors=True)
                self._is_ours = False


@contextmanager
def new_image(path: str | os.PathLike[str]) -> Iterator[NewImage]:
    """Makes an empty unfinished image, to be filled and synced inside the block; the end of the block finishes it.

    If the block raises, the file is deleted.

    Raises:
        RefusedError: an image of that name, or what is left of one, exists.
        WriteError: the file could not be written.
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
        if isinstance(error, AfterCommitError):  # the image that the error is about was deleted
            raise RepairFailedError(f"{error}; but {path} is not kept") from error
        error.add_note(f"{path} was not made")
        raise
