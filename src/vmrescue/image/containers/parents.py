"""Where an image's parents are looked for: in the folder that the user names, and in the child's own, by name alone."""

from __future__ import annotations

import re
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from vmrescue.arguments import typed
from vmrescue.errors import NotFoundError, ReadError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Sequence

DEEPEST = 64  # most files in a chain

_FOLDER: ContextVar[Path | None] = ContextVar("parent folder", default=None)


@typed
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


def files_of(folder: Path, names: Iterable[str] | None = None) -> list[Path]:
    """The files of a folder; `names`: those alone that have one of these, whatever its case, as in Windows.

    Links that lead out of it are left out: they could have been delivered with an image. Raises OSError.
    """
    home, wanted = folder.resolve(), None if names is None else {name.lower() for name in names}
    there = sorted(path for path in folder.iterdir() if wanted is None or path.name.lower() in wanted)
    return [path for path in there if path.is_file() and path.resolve().parent == home]


def plain_names(paths: Iterable[str]) -> list[str]:
    """The names of files in paths of Windows or Linux, without folders, each once."""
    found = (re.split(r"[\\/]", path)[-1] for path in paths)
    return [name for name in dict.fromkeys(found) if name not in ("", ".", "..")]


def folders_for(child: Path | None, named: Path | None = None) -> list[Path]:
    """The folders in which a child's parent is looked for: the one that the user named, and the child's own."""
    return [each for each in (named or parent_folder(), child and child.parent) if each is not None]


def find_by_name(names: Sequence[str], folders: Iterable[Path]) -> Path | None:
    """The first file of one of these names; case does not matter, as in Windows. Raises ReadError."""
    for folder in folders:
        try:
            there = files_of(folder, names)
        except OSError as error:
            raise ReadError(f"cannot look for a parent in {folder}: {error.strerror}") from error
        for name in names:
            exact = [path for path in there if path.name == name]
            alike = [path for path in there if path.name.lower() == name.lower()]
            if exact or alike:
                return (exact or alike)[0]
    return None


def missing_parent(kind: str, child: Path | None, names: Sequence[str], folders: Sequence[Path]) -> NotFoundError:
    """The error for a parent that is nowhere; `kind`: the child's container."""
    said, places = " or ".join(names), " or ".join(map(str, folders))
    return NotFoundError(
        f"the parent of the {kind} {child} is missing: no {said or 'name is known'} in {places or 'any folder'}, nor,"
        " as it was, where the child says; --parent-dir says where else to look"
    )
