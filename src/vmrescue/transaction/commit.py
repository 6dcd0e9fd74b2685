"""The one place in which repairs and defragmentations commit images, have them confirmed, and roll them back.

However a commit ends (an error, a signal, a crash of the machine), the image is confirmed or rolled back. After a
crash, the next command that opens the image to write does so. The journal is hot until libvhdi has seen what was
written, or a raw image was read again (`image.journal`). A signal ends the program only at a step from which this is
still possible.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from vmrescue.digests import sha256
from vmrescue.errors import RepairFailedError, VmRescueError
from vmrescue.image import EditSession
from vmrescue.image.journal import is_hot
from vmrescue.image.opening import CopySession
from vmrescue.image.reference import Reference
from vmrescue.interrupts import checkpoint, held
from vmrescue.log import logger
from vmrescue.transaction.committed import compare_committed
from vmrescue.transaction.receipt import Written
from vmrescue.transaction.recorder import Recorder
from vmrescue.windows.bare_hive import disk_or_hive

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from vmrescue.image.copy_format import CopyFormat
    from vmrescue.image.journal_file import Journal
    from vmrescue.image.signs import Sign
    from vmrescue.windows import Disk

LOG = logger("transaction")


class EditedImage:
    """One image that is changed: the session that takes the changes, and which bytes of the disk were written.

    Args:
        path: where its file is.
        index: which of the disks it is.
        writable: False for a rehearsal.
        name: what it is called once it is complete, if not by `path`.
        form: of a copy that is yet to be made of it: only that is changed.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        index: int = 0,
        writable: bool = True,
        name: str | os.PathLike[str] | None = None,
        form: CopyFormat | None = None,
    ) -> None:
        self.place = Reference.of(path)
        self.path = self.place.text
        self.name = Reference.of(name or path).shown  # for messages and receipts: a URL's secrets are not in it
        self.index = index
        self.session = CopySession(self.place, form) if form else EditSession(self.place, writable=writable)
        self.recorder = Recorder(self.session.disk)
        self._seen: tuple[int, Disk] | None = None  # a state, and the disk in it

    def disk(self) -> Disk:
        """The disk as it is now: the same object until something is written, and then a new one, which knows nothing.

        It is for reading: what it has read and found is not read again in the same state.
        """
        if self._seen is None or self._seen[0] != self.recorder.state:
            self._seen = self.recorder.state, disk_or_hive(self.recorder, self.name, self.index)
        return self._seen[1]

    @contextmanager
    def untouched(self) -> Iterator[Disk]:
        """The disk without the changes."""
        with closing(self.session.original()) as disk:
            yield disk_or_hive(disk, self.name, self.index)

    @property
    def original_size(self) -> int:
        """Bytes of the disk of which a copy is to be made; else of the disk itself."""
        return self.session.image.size if isinstance(self.session, CopySession) else self.session.disk.size

    @property
    def has_no_version(self) -> bool:
        """Whether nothing but its bytes shows that somebody wrote to it: an undo then has to look at many of them."""
        return not self.place.transport.has_versions

    def written(self) -> list[Written]:
        """What a commit would write to the file."""
        image, overlay = self.session.image, self.session.overlay
        rows = []
        for offset, length in overlay.changed_ranges():
            kept = max(0, min(length, image.size - offset))
            before = image.read_at(offset, kept) if kept else b""
            rows.append(Written(offset, length, sha256([before]), sha256([overlay.read_at(offset, length)])))
        return rows


def commit(
    edits: Mapping[EditedImage, Iterable[Sign]],
    then: Callable[[], None] = lambda: None,
    taken_back: str = "every image is as before",
) -> list[tuple[EditedImage, Journal]]:
    """Makes every image what its session shows, confirmed by `compare_committed`; or leaves all as they are.

    A crash or a SIGKILL between two images leaves those before it changed: each is whole, and has its own undo.

    Args:
        edits: the images in the order in which they are written, each with the bytes by which an undo will see whether
            somebody else has written to it.
        then: what belongs to it, and is done when all are confirmed: where it raises, they are rolled back.
        taken_back: what is said where all is rolled back.

    Returns:
        The journal of each image that was changed.

    Raises:
        RepairFailedError: the images are as before.
    """
    done: list[tuple[EditedImage, Journal]] = []
    with held():
        try:
            for image, signs in edits.items():
                checkpoint()
                journal = image.session.commit(signs, partial(_confirm, image))
                if journal is not None:
                    done.append((image, journal))
            checkpoint()
            then()
        except BaseException as error:
            outcome = _take_back(edits, done) or taken_back
            LOG.info("not committed: %s; %s", error, outcome)
            if isinstance(error, VmRescueError):
                raise RepairFailedError(f"{error}; {outcome}") from error
            error.add_note(outcome)
            raise
    return done


def _confirm(image: EditedImage) -> None:
    compare_committed(image.place, image.session.disk, image.recorder.written, image.recorder.copied)
    LOG.info("%s: what was written was read by other readers than ours, and is what was meant", image.name)


def _take_back(images: Iterable[EditedImage], done: list[tuple[EditedImage, Journal]]) -> str:
    """Rolls back those that were committed, each whatever becomes of the others. Returns what could not be."""
    failed = []
    for image, journal in reversed(done):
        try:
            image.session.rollback(journal)
        except VmRescueError as error:
            failed.append(f"{image.name} could not be rolled back: {error}")
    return "; ".join([*failed, *filter(None, map(why_unsettled, images))])


def why_unsettled(image: EditedImage) -> str | None:
    """Why an image may be half written, as a sentence; None where it is wholly old or new."""
    try:
        return f"{image.name} is rolled back once vmrescue opens it to write" if is_hot(image.place) else None
    except VmRescueError as error:
        return f"whether {image.name} is as before cannot be seen: {error}"
