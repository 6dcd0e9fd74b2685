"""Files that are written out of an image: none replaces that image, nor another disk."""

from __future__ import annotations

from stat import S_IFREG
from typing import TYPE_CHECKING

from vmrescue.errors import RefusedError
from vmrescue.files import kind_of, write_whole
from vmrescue.image.looks import may_be_a_disk

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable
    from pathlib import Path


def write_exported(path: Path, content: Iterable[bytes], overwrite: bool, image: str | os.PathLike[str]) -> None:
    """`files.write_whole`, for what comes out of `image`.

    Raises:
        RefusedError: there is such a file, and it may not be overwritten, or is a disk, or the image itself.
        WriteError: the operating system would not take it.
    """
    must_cost_no_disk(path, image)
    write_whole(path, content, overwrite)


def must_cost_no_disk(path: Path, image: str | os.PathLike[str]) -> None:
    """Raises RefusedError where a file is the image that is read, or a disk."""
    if kind_of(path) != S_IFREG:
        return
    if _is_same(path, image):
        raise RefusedError(f"{path} is the image that is read: it is not overwritten")
    if may_be_a_disk(path):
        raise RefusedError(f"{path} is a disk image: it is not overwritten")


def _is_same(path: Path, image: str | os.PathLike[str]) -> bool:
    try:
        return path.samefile(image)
    except (OSError, ValueError):  # an image behind a URL
        return False
