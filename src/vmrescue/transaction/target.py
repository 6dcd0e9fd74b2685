"""Other ways out of a repair than the image itself: a copy of it, or a differencing VHD or VHDX over it.

Both are made first, under a name that says that they are unfinished. Then they are repaired like any image. When the
repair is confirmed, they get their own name (`image.new_image`). The original is only read.

    made ──compared with the original──> repaired and confirmed ──(qemu-img makes another form of it, compared)──> named
"""

from __future__ import annotations

import os
from contextlib import closing, contextmanager
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.digests import sha256
from vmrescue.errors import RepairFailedError, UnsupportedError, UsageError
from vmrescue.image import open_disk
from vmrescue.image.children import filling_over
from vmrescue.image.journal_place import journal_files
from vmrescue.image.new_image import NewImage, must_be_new, new_image
from vmrescue.image.reference import Reference
from vmrescue.image.risks import refuse_risks
from vmrescue.interrupts import checkpoint
from vmrescue.progress import work
from vmrescue.transaction.committed import compare_copy
from vmrescue.windows.bare_hive import BareHive, disk_or_hive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from vmrescue.image.copy_format import CopyFormat
    from vmrescue.plan import ImageIdentity

    Progress = Callable[[int, int], None]  # bytes done, bytes to do

PIECE = 1 << 20  # bytes of a copy hashed at a time


@dataclass(frozen=True)
class Elsewhere:
    """Where a repair goes, if not into the image: a copy of it, or a child over it.

    Attributes:
        path: the new image's name.
        form: of a copy; None for a child.
        hashed: whether the receipt of a copy is to tell the SHA-256 of the whole disk, and of the whole copy.
    """

    path: Path
    form: CopyFormat | None
    hashed: bool = False

    @classmethod
    def of(
        cls,
        copy_to: str | os.PathLike[str] | None,
        into: str | os.PathLike[str] | None,
        to_format: str | None = None,
        hashed: bool = False,
    ) -> Elsewhere | None:
        """What the options ask for; None for the image itself.

        Raises:
            UsageError: they contradict each other, or there is no such form.
            UnsupportedError: the form takes a program that is not installed.
            RefusedError: an image of that name is there, or what is left of one.
        """
        if copy_to and into:
            raise UsageError("a repair is written to a copy (--copy-to) or into a child (--into), not to both")
        if (to_format or hashed) and not copy_to:
            raise UsageError("--to-format and --sha256 are about a copy: they need --copy-to")
        form = None
        if copy_to:
            from vmrescue.image.copy_format import format_for  # here, because construct is slow to import
            from vmrescue.image.qemu import must_be_there

            form = format_for(copy_to, to_format)
            if form.qemu:
                must_be_there(form.qemu)
        path = copy_to or into
        if path is None:
            return None
        must_be_new(path)
        return cls(Path(path), form, hashed)

    def made(self, image: str | os.PathLike[str], progress: Progress | None = None) -> AbstractContextManager[Made]:
        """Makes it; it has its name when the block is left, and is gone where the block raises."""
        if self.form is None:
            return child_of(image, self.path)
        return copy_of(image, self.path, self.form, progress, self.hashed)


@dataclass(frozen=True)
class UploadTo:
    """The address of a page blob that gets a copy, such as a new managed disk's write address.

    Attributes:
        url: with its signature.
        resume: whether a copy that was cut goes on.
    """

    url: str = field(repr=False)
    resume: bool = False


@dataclass(frozen=True)
class Origin:
    """Where a repaired image comes from.

    Attributes:
        image: the original's path.
        way: ``copy`` (of its own), ``child`` (a differencing disk over the original) or ``upload`` (a copy that was put
            to a page blob's address).
        sha256: of the original disk's whole content; for a copy only, and where it was asked for.
        form: of a copy, as ``--to-format`` takes it.
        data: bytes of the original disk in pieces of 64 KiB that are not zero: those that were copied.
        content: the digest of these, by which the copy was compared with the original (`image.copy.content_of`).
        compared: of an upload: whether the repaired pages and the footer were read back, and are what was written;
            False if the target's address only takes writes.
        by_service: of an upload: whether the service copied the data from the original's address.
        requests: of an upload: the number of requests made for the copy.
    """

    image: str
    way: str
    sha256: str | None
    form: str | None = None
    data: int | None = None
    content: str | None = None
    compared: bool | None = None
    by_service: bool | None = None
    requests: int | None = None


@dataclass(frozen=True)
class Made:
    """An image that was made of another one.

    Attributes:
        new: its file, which is unfinished until it is repaired.
        origin: what it was made from.
        identity: that of the original, for which a plan may have been made.
        form: of a copy; None for a child.
    """

    new: NewImage
    origin: Origin
    identity: ImageIdentity
    form: CopyFormat | None = None

    @property
    def undoable(self) -> bool:
        """Whether the image as it will be has journals by which a repair is taken back."""
        return self.form is None or self.form.qemu is None

    def finish(self) -> str | None:
        """Makes it what it is to be, and gives it its name.

        Returns the SHA-256 of the whole file, where that was asked for.

        Raises:
            WriteError, RepairFailedError: the form that was asked for could not be made, or holds another disk.
            RefusedError: something else has got its name meanwhile.
        """
        if self.form and self.form.qemu:
            _convert(self.new, self.form.qemu)
        digest = sha256(_pieces(self.new.unfinished)) if self.origin.sha256 else None
        self.new.finish()
        if not self.undoable:
            for journal in journal_files(self.new.folder, os.geteuid, self.new.path):
                journal.unlink()  # they are about the bytes of what it was made of
        return digest


@contextmanager
def made_of(
    image: str | os.PathLike[str], elsewhere: Elsewhere | None, progress: Progress | None = None
) -> Iterator[Made | None]:
    """What is repaired: what is made of the image first; None for the image itself."""
    if elsewhere is None:
        yield None
        return
    with elsewhere.made(image, progress) as made:
        yield made


@contextmanager
def copy_of(
    image: str | os.PathLike[str],
    out: str | os.PathLike[str],
    form: CopyFormat,
    progress: Progress | None = None,
    hashed: bool = False,
) -> Iterator[Made]:
    """A copy with the disk's content, deleted again where the block raises before it is finished.

    It is compared with what was read of the disk before the block begins: by libvhdi for a VHD or VHDX, else by
    reading the file anew.

    Raises:
        RefusedError: `out` exists, or what is left of one.
        RepairFailedError: the copy is not what was read.
        VmRescueError: the disk cannot be read or the copy cannot be written.
    """
    from vmrescue.image.copy import fill_with_copy  # here, because construct is slow to import

    place = Reference.of(image)
    disk = open_disk(place)
    try:
        refuse_risks(disk.risks, place.shown)  # a copy of a saved machine's disk is one
        found = disk_or_hive(disk, place.shown)
        if isinstance(found, BareHive):
            raise UnsupportedError(f"{place} is a bare hive, no disk: copy the file itself, with its logs")
        with new_image(out) as new:
            copied = fill_with_copy(new, disk, form, progress, hashed)
            compare_copy(Reference.of(new.unfinished), copied.content)
            disk.close()
            origin = Origin(place.shown, "copy", copied.sha256, form.name, copied.data, copied.content)
            made = Made(new, origin, found.identity, form)
            yield made
            if not new.finished:
                made.finish()
    finally:
        disk.close()


@contextmanager
def child_of(image: str | os.PathLike[str], child: str | os.PathLike[str]) -> Iterator[Made]:
    """A differencing VHD or VHDX whose parent is the image, deleted again where the block raises before it is finished.

    Raises:
        RefusedError: `child` exists, or what is left of one.
        UnsupportedError: the image is neither, or not on this machine, so that no child can name it.
        UsageError: the child's name is that of another container.
    """
    place = Reference.of(image)
    if place.is_remote:
        raise UnsupportedError(f"{place} is not on this machine: repair a copy (--copy-to) or the blob itself")
    with closing(open_disk(place)) as disk:
        refuse_risks(disk.risks, place.shown)
        identity = disk_or_hive(disk, place.shown).identity
        fill = filling_over(disk.facts.format, child)
    with new_image(child) as new:
        fill(new, image)
        made = Made(new, Origin(str(image), "child", None), identity)
        yield made
        if not new.finished:
            made.finish()


def _convert(new: NewImage, form: str) -> None:
    """Puts what `qemu-img` makes of a raw image in its place, once two readers have found the same disk in both."""
    from vmrescue.image.copy import content_of
    from vmrescue.image.qemu import convert, must_be_sound

    raw, other = new.unfinished, Path(f"{new.unfinished}.{form}")
    with work(f"making a {form}"):
        convert(raw, other, form)
    try:
        must_be_sound(raw, other, form)
        with closing(open_disk(raw)) as before, closing(open_disk(other)) as after:
            contents = [content_of(disk, disk.size, disk.read_at, checkpoint) for disk in (before, after)]
            if before.size != after.size or contents[0] != contents[1]:
                raise RepairFailedError(f"{other} is not what it was made of: it holds another disk")
        other.replace(raw)
    finally:
        other.unlink(missing_ok=True)


def _pieces(path: Path) -> Iterator[bytes]:
    """A whole file; its reading can be interrupted."""
    with path.open("rb") as stream, work("hashing the copy", path.stat().st_size) as now:
        while piece := stream.read(PIECE):
            checkpoint()
            yield piece
            now.advance(len(piece))
