"""Where an image's parents are looked for: in the folder that the user names, and in the child's own, by name alone.

A path in the child is used only if the file there is the very one over which the child was made, by ids and times that
the child stores. So an image cannot decide which files of this machine are opened, unless its maker knows these of a
file. Errors say nothing about other files at that path.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from vmrescue.arguments import typed
from vmrescue.errors import NotFoundError, ReadError, UnsupportedError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Sequence

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


def find_parent(
    kind: str,
    chain: Sequence[Path | None],
    stored: Sequence[str],
    is_the_one: Callable[[Path], bool],
    folder: Path | None = None,
) -> Path:
    """The file of the parent of a chain's last file.

    Args:
        kind: the container, for errors.
        chain: the files from the image on, the child last; None for one that is no file.
        stored: the paths of its parent that the child stores, likeliest first.
        is_the_one: whether the file at a stored path is that parent, by what the child stores of it.
        folder: where to look first; by default the folder of `parents_in`.

    Raises:
        NotFoundError: it is in neither folder, nor unchanged at a stored path.
        UnsupportedError: the chain is too long.
        ReadError: a folder cannot be listed.
    """
    child = chain[-1]
    if len(chain) == DEEPEST:
        raise UnsupportedError(f"{chain[0]} has more than {DEEPEST - 1} parents, one below the other")
    names = plain_names(stored)
    folders = [each for each in (folder or parent_folder(), child and child.parent) if each is not None]
    path = _by_name(names, folders) or (_where_it_says(child.parent, stored, is_the_one) if child else None)
    if path is None:
        raise _missing(kind, child, names, folders)
    return path


def is_one_of(chain: Iterable[Path | None], path: Path) -> bool:
    """Whether a file is one of a chain's: a parent that is its own child."""
    return any(each is not None and path.samefile(each) for each in chain)


def _by_name(names: Sequence[str], folders: Iterable[Path]) -> Path | None:
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


def _where_it_says(folder: Path, stored: Iterable[str], is_the_one: Callable[[Path], bool]) -> Path | None:
    """The parent at a path that the child in `folder` stores; None where none leads to it."""
    for said in stored:
        place = folder / said.replace("\\", "/")
        if is_the_one(place):
            return place.resolve()
    return None


def _missing(kind: str, child: Path | None, names: Sequence[str], folders: Sequence[Path]) -> NotFoundError:
    said, places = " or ".join(names), " or ".join(map(str, folders))
    return NotFoundError(
        f"the parent of the {kind} {child} is missing: no {said or 'name is known'} in {places or 'any folder'}, nor,"
        " as it was, where the child says; --parent-dir says where else to look"
    )
