"""Other ways out of a repair than the image itself: a copy of it, or a differencing VHD over it.

Either is made first, then repaired like any image. The original is only read. What a refused or failed repair leaves of
the new file is deleted: it was ours.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vmrescue.disk import copy_to_fixed, create_differencing, open_disk
from vmrescue.disk.remote import is_remote, shown
from vmrescue.errors import UnsupportedError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

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


@contextmanager
def copy_of(image: str | os.PathLike[str], out: str | os.PathLike[str], progress: Progress | None) -> Iterator[Origin]:
    """An Azure-ready fixed VHD with the disk's content, deleted again where the block raises.

    Raises:
        RefusedError: `out` exists.
        VmRescueError: the disk cannot be read or the copy cannot be written.
    """
    disk = open_disk(image)
    try:
        copied = copy_to_fixed(disk, out, progress)
    finally:
        disk.close()
    with _ours(out):
        yield Origin(shown(image), "copy", copied.disk_sha256)


@contextmanager
def child_of(image: str | os.PathLike[str], child: str | os.PathLike[str]) -> Iterator[Origin]:
    """A differencing VHD whose parent is the image, deleted again where the block raises.

    Raises:
        RefusedError: `child` exists.
        UnsupportedError: the image is no VHD, or not on this machine, so that no child can name it.
    """
    if is_remote(image):
        raise UnsupportedError(f"{shown(image)} is not on this machine: repair a copy (--copy-to) or the blob itself")
    create_differencing(image, child)
    with _ours(child):
        yield Origin(str(image), "child", None)


@contextmanager
def _ours(path: str | os.PathLike[str]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        Path(path).unlink(missing_ok=True)
        raise
