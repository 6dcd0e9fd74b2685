"""Opens an image: the file, its container, and the disk in it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, cast

from vmrescue.arguments import typed
from vmrescue.device import check_range
from vmrescue.errors import RefusedError
from vmrescue.image import journal
from vmrescue.image.containers.container import open_container
from vmrescue.image.containers.lying_over import risk_of_children
from vmrescue.image.containers.parents import parents_in
from vmrescue.image.containers.raw import RawImage
from vmrescue.image.journal_file import MOST_RANGES
from vmrescue.image.notices import tell
from vmrescue.image.overlay import Overlay
from vmrescue.image.recovery import half_repaired, open_for_reading, open_for_writing
from vmrescue.image.reference import Reference
from vmrescue.image.risks import refuse_risks
from vmrescue.image.signs import Sign, clipped, joined
from vmrescue.log import logger
from vmrescue.progress import work

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

    from vmrescue.image.copy_format import CopyFormat
    from vmrescue.image.journal_file import Journal
    from vmrescue.image.reference import Location
    from vmrescue.image.transports.file import HeldStore, ImageStore
    from vmrescue.image.virtual_disk import Mapped, VirtualDisk

LOG = logger("image")


@typed
def open_disk(
    path: Location, writable: bool = False, parent_folder: str | os.PathLike[str] | None = None
) -> VirtualDisk:
    """Opens the disk in an image file, on a block device or behind a URL; closing it closes the file.

    An interrupted repair of the image is rolled back: in the image if `writable`, else only in what is read. A writable
    disk writes directly to the image, which is meant for new images; repairs use an `EditSession`.

    Args:
        path: path of the image or the device; or a URL that fsspec supports, which is read by ranges. Behind URLs, only
            Azure page blobs can be written.
        writable: whether the disk will be written to.
        parent_folder: where a differencing disk's parents are, if not in its own folder.

    Raises:
        ReadError, RefusedError: the file cannot be opened, or not safely.
        NotFoundError: a parent is missing.
        FormatError, UnsupportedError: it is no disk image, or of a format that vmrescue does not read.
        RefusedError: `writable`, and the image has a risk that is not accepted (`risks.accepting`).
    """
    place = Reference.of(path)
    with work(f"opening {place}"):
        with parents_in(parent_folder):
            store, interrupted = _open_file(place, writable)
        try:
            disk = open_container(store, place.shown, parent_folder, writable)
        except BaseException:
            store.close()
            raise
    disk.learn(notes=(*disk.facts.notes, *_interruption(place, store, interrupted, writable)))
    LOG.info("%s: opened to %s, %s of %d bytes", place, "write" if writable else "read", disk.facts.format, disk.size)
    tell(place.shown, disk.warnings)
    try:
        if writable:
            refuse_risks(disk.risks, place.shown)
    except BaseException:
        disk.close()
        raise
    return disk


def _open_file(place: Reference, writable: bool) -> tuple[ImageStore, Journal | None]:
    """The bytes below the container, and the journal of an interrupted repair (None if there is none)."""
    return open_for_writing(place) if writable else open_for_reading(place)


def _interruption(place: Reference, store: ImageStore, interrupted: Journal | None, writable: bool) -> Iterator[str]:
    """Warnings about an interrupted repair, if there was one."""
    if interrupted:
        done = "it was rolled back" if writable else "what is read is as it was before; the next repair rolls it back"
        yield f"a repair of {place} was interrupted: {done}"
    elif place.is_remote and (where := half_repaired(store)):
        yield f"{place} is half repaired, and read as it is: its undo journal is {where}"


@typed
class EditSession:
    """An image being edited. Writes to `disk` stay in memory until `commit`.

    Args:
        path: path of the image or the device.
        parent_folder: where a differencing disk's parents are, if not in its own folder.
        writable: False for a trial run: the image is opened for reading, and `commit` is refused.

    Attributes:
        image: the image file's present bytes.
        overlay: the image file's bytes with the changes.
        disk: the disk in `overlay`; writable.
        warnings: sentences for the user.

    Raises:
        As `open_disk`.
    """

    def __init__(
        self,
        path: Location,
        parent_folder: str | os.PathLike[str] | None = None,
        writable: bool = True,
    ) -> None:
        self.image: ImageStore
        self._writable = writable
        self._parent_folder = parent_folder
        place = Reference.of(path)
        self._path = place.shown
        with ExitStack() as undo:
            with parents_in(parent_folder):
                self.image, interrupted = _open_file(place, writable)
            undo.callback(self.image.close)
            self.overlay = Overlay(self.image)
            undo.callback(self.overlay.close)
            self.disk = open_container(self.overlay, place.shown, parent_folder, writable=True)
            undo.callback(self.disk.close)
            notes = _interruption(place, self.image, interrupted, writable)
            self.disk.learn(notes=(*self.disk.facts.notes, *notes))
            self.warnings = self.disk.warnings
            LOG.info(
                "%s: opened to edit, %s of %d bytes; changes stay in memory",
                place,
                self.disk.facts.format,
                self.disk.size,
            )
            tell(place.shown, self.warnings)
            refuse_risks(self.disk.risks, place.shown)
            undo.pop_all()

    def original(self) -> VirtualDisk:
        """The disk without the changes, read through what the session has open: nothing comes twice over a network.

        Closing it leaves the session open.
        """
        return open_container(Overlay(self.image), self._path, self._parent_folder)

    def changed_ranges(self) -> list[tuple[int, int]]:
        """(offset, length) of the bytes of the image file that `commit` would write."""
        return self.overlay.changed_ranges()

    def commit(self, signs: Iterable[Sign] = (), confirm: Callable[[], None] = lambda: None) -> Journal | None:
        """Writes all changes to the image, or none; see `journal.commit`. The session can then be used further.

        Args:
            signs: bytes of the edited disk that show an undo whether somebody else has written to the image.
            confirm: called when everything is written; if it raises, the image is rolled back.
        """
        kept = [Sign(sign.label, clipped(sign.ranges, self.disk.size)) for sign in signs]
        if not self.disk.facts.flat:
            kept = list(_stored(kept, cast("Mapped", self.disk)))
        kept = [
            Sign(f"{sign.label}, in too many pieces", ()) if len(sign.ranges) > MOST_RANGES else sign for sign in kept
        ]
        steps = self.disk.commit_steps(self._file())
        return journal.commit(self._file(), self.overlay, self.disk.unique_id, kept, confirm, steps)

    def seal(self) -> None:
        """Makes earlier commits final, so that `write_unowned` may be used; see invariant 8 of `journal`."""
        journal.seal(self._file())

    def write_unowned(self, offset: int, data: bytes | memoryview) -> None:
        """Writes bytes of the disk that nothing on the disk refers to. Only after `seal`.

        In a flat container they are written at once, without the journal; in others with the next commit.
        """
        if self.disk.facts.flat:
            check_range(self.disk.format, offset, len(data), self.disk.size)
            self.overlay.write_through(offset, data)
        else:
            self.disk.write_at(offset, data)

    def flush(self) -> None:
        """Returns when what `write_unowned` wrote is on stable storage."""
        self._file().flush()

    def discard(self, committed: Journal) -> None:
        """Deletes the journal of a confirmed commit that will not be undone, and drops the changes kept in memory."""
        journal.discard(committed)
        self.overlay.forget()

    def rollback(self, committed: Journal) -> Journal:
        """Undoes a commit of this session that was not confirmed, without comparing what the image has now."""
        return journal.rollback(self._file(), committed)

    def _file(self) -> HeldStore:
        if not self._writable:
            raise RefusedError("this is a rehearsal: the image was opened for reading only")
        return cast("HeldStore", self.image)

    def close(self) -> None:
        """Drops changes that were not committed, and closes the image."""
        self.disk.close()
        self.overlay.close()
        self.image.close()

    def __enter__(self) -> EditSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class CopySession(EditSession):
    """Edits of a disk, from any container, of which a copy will be made. It cannot be committed.

    Attributes:
        image: the source disk, unchanged.

    Args:
        path: path of the image or the device.
        form: the format of the copy.

    Raises as `open_disk`.
    """

    def __init__(self, path: Location, form: CopyFormat) -> None:
        self._writable = False
        place = Reference.of(path)
        with ExitStack() as undo:
            self.image = original = open_disk(place)
            undo.callback(original.close)
            self.overlay = Overlay(original)
            undo.callback(self.overlay.close)
            self.overlay.resize(form.size_of(original.size))
            self.disk = RawImage(self.overlay)
            facts, longest = original.facts, form.longest
            self.disk.learn(format=facts.format, notes=facts.notes, risks=facts.risks, refusal=None, longest=longest)
            self.warnings = self.disk.warnings
            refuse_risks(self.disk.risks, place.shown)
            undo.pop_all()

    def original(self) -> VirtualDisk:
        return RawImage(Overlay(self.image))


def _stored(signs: Iterable[Sign], disk: Mapped) -> Iterator[Sign]:
    """Signs of a disk as signs of its file. The table is a sign too: writing to a new block changes it."""
    table = Sign(f"the {disk.format}'s headers and table", joined(disk.own_ranges))
    for sign in signs:
        parts = joined(part for offset, length in sign.ranges for part in disk.stored(offset, length))
        yield Sign(sign.label, parts or (sign.ranges and table.ranges))
    yield table


@typed
def undo(path: Location, although_changed: bool = False) -> Journal:
    """Undoes the last repair of an image, or rolls back an interrupted one: see `journal.undo`.

    Raises:
        NotFoundError: there is no repair to undo.
        RefusedError: the image was changed since, or is in use.
    """
    if not although_changed:
        refuse_risks(risk_of_children(path), Reference.of(path).shown)
    image, interrupted = open_for_writing(path, although_changed)
    try:
        return interrupted or journal.undo(image, although_changed)
    finally:
        image.close()
