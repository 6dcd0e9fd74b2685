"""The one folder beside an image's own in which its parents may lie: the user names it, never the image."""

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
    """While this lasts, parents are also looked for in `folder`, by whatever opens an image in this thread.

    With None everything stays as it was.
    """
    token = _FOLDER.set(_FOLDER.get() if folder is None else Path(folder))
    try:
        yield
    finally:
        _FOLDER.reset(token)


def parent_folder() -> Path | None:
    """The folder that was named, if one was."""
    return _FOLDER.get()


def files_of(folder: Path) -> list[Path]:
    """The files that lie in a folder themselves: a link that leads out of it could have been put there with an image.

    Raises OSError.
    """
    home = folder.resolve()
    return sorted(path for path in folder.iterdir() if path.is_file() and path.resolve().parent == home)
