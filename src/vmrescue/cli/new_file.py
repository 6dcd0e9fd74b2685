"""Writing a file that a command was asked for: whole or not at all, and over nothing that is there without a word."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from vmrescue.errors import RefusedError, WriteError

if TYPE_CHECKING:
    from collections.abc import Iterable


def write_new_file(path: Path, data: bytes, overwrite: bool) -> None:
    """Writes a file under another name, and renames it when it is complete.

    Raises:
        RefusedError: there is such a file, and it may not be overwritten.
        WriteError: the operating system would not take it.
    """
    if path.exists() and not overwrite:
        raise RefusedError(f"{path} is there already; --yes overwrites it")
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with unfinished.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise WriteError(f"cannot write {path}: {error.strerror}") from error


def write_whole(path: Path, content: Iterable[bytes], overwrite: bool) -> None:
    """Writes what comes out of an image to a file, which is there only once it is complete.

    A link in the file's place is replaced, not followed: somebody may have put it there for what is copied to go
    elsewhere.

    Raises:
        RefusedError: there is such a file, and it may not be overwritten; or the operating system would not take it.
    """
    try:
        if overwrite and path.exists() and not path.is_file():  # a device or a pipe, which is not ours to replace
            with path.open("wb") as stream:
                stream.writelines(content)
            return
        with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name[:40]}.", delete=False) as unfinished:
            try:
                unfinished.writelines(content)
                unfinished.flush()
                _name(Path(unfinished.name), path, overwrite)
            finally:
                Path(unfinished.name).unlink(missing_ok=True)
    except OSError as error:
        raise RefusedError(f"cannot write {path}: {error.strerror}") from error


def _name(unfinished: Path, path: Path, overwrite: bool) -> None:
    """Gives a complete file its name, with the permissions of any new file."""
    mask = os.umask(0)
    os.umask(mask)
    unfinished.chmod(0o666 & ~mask)
    if overwrite:
        unfinished.replace(path)
    elif path.is_symlink() or path.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    else:
        unfinished.rename(path)
