"""Other ways out of a repair than the image itself: a copy of it, or a differencing VHD over it.

Either is made first, under a name that says that it is unfinished, then repaired like any image, and gets its own name
when that is confirmed (`image.new_image`). The original is only read.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmrescue.errors import UnsupportedError, UsageError
from vmrescue.image import open_disk
from vmrescue.image.new_image import NewImage, new_image
from vmrescue.image.reference import Reference
from vmrescue.image.risks import refuse_risks
from vmrescue.windows.bare_hive import disk_or_hive

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from vmrescue.plan import ImageIdentity

    Progress = Callable[[int, int], None]  # bytes done, bytes to do


@dataclass(frozen=True)
class Origin:
    """Where a repaired image comes from.

    Attributes:
        image: the original's path.
        way: ``copy`` (a fixed VHD of its own) or ``child`` (a differencing VHD over the original).
        sha256: of the original disk's content; for a copy only, since only that reads all of it.
    """

    image: str
    way: str
    sha256: str | None


@dataclass(frozen=True)
class Made:
    """An image that was made of another one.

    Attributes:
        new: its file, which is unfinished until it is repaired.
        origin: what it was made from.
        identity: that of the original, for which a plan may have been made.
    """

    new: NewImage
    origin: Origin
    identity: ImageIdentity


@contextmanager
def made_of(
    image: str | os.PathLike[str],
    copy_to: str | os.PathLike[str] | None,
    into: str | os.PathLike[str] | None,
    progress: Progress | None,
) -> Iterator[Made | None]:
    """What is repaired: what is made of the image first; None for the image itself."""
    if copy_to and into:
        raise UsageError("a repair goes to a copy or into a child, not to both")
    if copy_to:
        with copy_of(image, copy_to, progress) as made:
            yield made
    elif into:
        with child_of(image, into) as made:
            yield made
    else:
        yield None


@contextmanager
def copy_of(image: str | os.PathLike[str], out: str | os.PathLike[str], progress: Progress | None) -> Iterator[Made]:
    """An Azure-ready fixed VHD with the disk's content, deleted again where the block raises before it is finished.

    Raises:
        RefusedError: `out` exists, or what is left of one.
        VmRescueError: the disk cannot be read or the copy cannot be written.
    """
    from vmrescue.image.copy import fill_with_copy  # here, because construct is slow to import

    place = Reference.of(image)
    disk = open_disk(place)
    try:
        refuse_risks(disk.risks, place.shown)  # a copy of a saved machine's disk is one
        identity = disk_or_hive(disk, place.shown).identity
        with new_image(out) as new:
            copied = fill_with_copy(new, disk, progress)
            disk.close()
            yield Made(new, Origin(place.shown, "copy", copied.disk_sha256), identity)
    finally:
        disk.close()


@contextmanager
def child_of(image: str | os.PathLike[str], child: str | os.PathLike[str]) -> Iterator[Made]:
    """A differencing VHD whose parent is the image, deleted again where the block raises before it is finished.

    Raises:
        RefusedError: `child` exists, or what is left of one.
        UnsupportedError: the image is no VHD, or not on this machine, so that no child can name it.
    """
    from vmrescue.image.containers.vhd_create import fill_differencing  # here, because construct is slow to import

    place = Reference.of(image)
    if place.is_remote:
        raise UnsupportedError(f"{place} is not on this machine: repair a copy (--copy-to) or the blob itself")
    with closing(open_disk(place)) as disk:
        refuse_risks(disk.risks, place.shown)
        identity = disk_or_hive(disk, place.shown).identity
    with new_image(child) as new:
        fill_differencing(new, image)
        yield Made(new, Origin(str(image), "child", None), identity)
