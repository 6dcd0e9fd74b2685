"""Writing a file that a command was asked for: whole or not at all, and over nothing that is there without a word."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from vmrescue.errors import RefusedError, WriteError

if TYPE_CHECKING:
    from pathlib import Path


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
