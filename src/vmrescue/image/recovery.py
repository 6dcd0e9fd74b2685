"""Opens an image file so that an interrupted repair is rolled back: in the image, or only in what is read.

The file is opened without its container; `opening` adds the container. Where QEMU writes the container, it is opened
here, because the journal counts the bytes of the disk in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import RefusedError
from vmrescue.image import journal
from vmrescue.image.containers.foreign.written import disk_to_read, disk_to_write
from vmrescue.image.overlay import Overlay
from vmrescue.image.reference import Reference

if TYPE_CHECKING:
    from vmrescue.image.journal_file import Journal
    from vmrescue.image.reference import Location
    from vmrescue.image.transports.file import HeldStore, ImageStore


class _RolledBack(Overlay):
    """A file as it was before an interrupted repair; closing it closes the file."""

    def close(self) -> None:
        super().close()
        self.base.close()


def open_for_reading(path: Location) -> tuple[ImageStore, Journal | None]:
    """The bytes of an image, without an interrupted repair; and the journal of that repair, if there was one."""
    place = Reference.of(path)
    image = place.open()
    try:
        image = disk_to_read(image, place.shown)
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
    """The image, locked, after rolling back an interrupted repair; and the journal of that repair, if there was one.

    Args:
        although_changed: roll back even if signs show that somebody else wrote to the image since.

    Raises:
        RefusedError: somebody else uses it, or it may not be written.
    """
    place = Reference.of(path)
    image = disk_to_write(place.hold())
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


def half_repaired(image: ImageStore) -> str | None:
    """The place of the journal of an interrupted repair, if a remote image's metadata name one."""
    from vmrescue.image.transports.azure import marked  # here, because most images are near
    from vmrescue.image.transports.remote import RemoteFile

    return marked(image.metadata) if isinstance(image, RemoteFile) else None
