"""Opening an image file in good order: what an interrupted repair left half done does not show.

The file is opened below its container; `opening` puts the container on top.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.disk import journal
from vmrescue.disk.file import FileDevice
from vmrescue.disk.lock import refuse_mounted, take_lock
from vmrescue.disk.overlay import Overlay

if TYPE_CHECKING:
    import os

    from vmrescue.disk.file import Store
    from vmrescue.disk.journal_file import Journal


class _RolledBack(Overlay):
    """A file as it was before an interrupted repair; closing it closes the file."""

    def close(self) -> None:
        super().close()
        self.base.close()


def open_for_reading(path: str | os.PathLike[str]) -> tuple[Store, Journal | None]:
    """The bytes of an image; and the journal of an interrupted repair, which they don't show."""
    image = FileDevice(path)
    try:
        hot = journal.pending(path)
        if hot is None:
            return image, None
        hot.check_identity(image)
        view = _RolledBack(image)
        hot.restore(view)
    except BaseException:
        image.close()
        raise
    return view, hot


def open_for_writing(path: str | os.PathLike[str]) -> tuple[FileDevice, Journal | None]:
    """The image file itself, locked and in good order; and the journal of an interrupted repair that was rolled back.

    Raises:
        RefusedError: somebody else uses it, or it may not be written.
    """
    refuse_mounted(path)
    image = FileDevice(path, writable=True)
    try:
        take_lock(image)
        journal.drop_torn(path)
        hot = journal.pending(path)
        return image, journal.rollback(image, hot) if hot else None
    except BaseException:
        image.close()
        raise
