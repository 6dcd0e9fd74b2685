"""Opening an image file so that a repair that was interrupted does not show: it is rolled back, or read so.

The file is opened below its container; `opening` puts the container on top.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import RefusedError
from vmrescue.image import journal
from vmrescue.image.overlay import Overlay
from vmrescue.image.reference import Reference
from vmrescue.image.transports.azure import marked
from vmrescue.image.transports.remote import RemoteFile

if TYPE_CHECKING:
    from vmrescue.image.journal_file import Journal
    from vmrescue.image.reference import Location
    from vmrescue.image.transports.file import HeldStore, Store


class _RolledBack(Overlay):
    """A file as it was before an interrupted repair; closing it closes the file."""

    def close(self) -> None:
        super().close()
        self.base.close()


def open_for_reading(path: Location) -> tuple[Store, Journal | None]:
    """The bytes of an image; and the journal of an interrupted repair, which they don't show."""
    place = Reference.of(path)
    image = place.open()
    try:
        hot = journal.pending(place)
        if hot is None:
            return image, None
        hot.check_identity(image)
        journal.must_be_alone(place.shown, hot, hot.compare(image), although_changed=False)
        view = _RolledBack(image)
        hot.restore(view)
    except BaseException:
        image.close()
        raise
    return view, hot


def open_for_writing(path: Location, although_changed: bool = False) -> tuple[HeldStore, Journal | None]:
    """The image itself, locked and in good order; and the journal of an interrupted repair that was rolled back.

    Args:
        although_changed: roll back even where there are signs that somebody else wrote to the image since.

    Raises:
        RefusedError: somebody else uses it, or it may not be written.
    """
    place = Reference.of(path)
    image = place.hold()
    try:
        journal.drop_torn(place)
        hot = journal.pending(place)
        if hot is None and image.unfinished:
            raise RefusedError(
                f"{image.path} is half repaired: `vmrescue undo` it first where its undo journal is, {image.unfinished}"
            )
        return image, journal.finish(image, hot, although_changed) if hot else None
    except BaseException:
        image.close()
        raise


def half_repaired(image: Store) -> str | None:
    """Where the undo journal lies of a repair that was interrupted while it wrote to a remote image, if it says so."""
    return marked(image.metadata) if isinstance(image, RemoteFile) else None
