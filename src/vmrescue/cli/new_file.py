"""Writing a file that a command was asked for: whole or not at all, and over nothing that is there without a word."""

from __future__ import annotations

from stat import S_IFREG
from typing import TYPE_CHECKING

from vmrescue.errors import RefusedError, WriteError
from vmrescue.files import kind_of, new_file, write_sparse

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def write_whole(path: Path, content: Iterable[bytes], overwrite: bool) -> None:
    """Writes what comes out of an image to a file, which is there only once it is complete.

    A link in the file's place is replaced, not followed: somebody may have put it there for what is copied to go
    elsewhere.

    Raises:
        RefusedError: there is such a file, and it may not be overwritten.
        WriteError: the operating system would not take it.
    """
    try:
        if overwrite and kind_of(path) not in (0, S_IFREG):  # a device or a pipe, which is not ours to replace
            with path.open("wb") as stream:
                stream.writelines(content)
            return
        with new_file(path, overwrite) as unfinished:
            write_sparse(unfinished, content)
    except FileExistsError as error:
        raise RefusedError(f"{path} is there already; --yes (of get: --force) overwrites it") from error
    except OSError as error:
        raise WriteError(f"cannot write {path}: {error.strerror}") from error
