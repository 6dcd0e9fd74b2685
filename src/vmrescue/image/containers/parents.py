"""The folder, besides an image's own, in which an image's parents are looked for. Only the user can name it."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

_FOLDER: ContextVar[Path | None] = ContextVar("parent folder", default=None)


@contextmanager
def parents_in(folder: str | os.PathLike[str] | None) -> Iterator[None]:
    """Inside the block, images opened in this thread also look for parents in `folder`.

    None changes nothing.
    """
    token = _FOLDER.set(_FOLDER.get() if folder is None else Path(folder))
    try:
        yield
    finally:
        _FOLDER.reset(token)


def parent_folder() -> Path | None:
    """The folder named with `parents_in`; None if there is none."""
    return _FOLDER.get()


def files_of(folder: Path) -> list[Path]:
    """The files of a folder. Links that lead out of it are left out: they could have been delivered with an image.

    Raises OSError.
    """
    home = folder.resolve()
    return sorted(path for path in folder.iterdir() if path.is_file() and path.resolve().parent == home)
