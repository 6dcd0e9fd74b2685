"""Writing a file that a command was asked for: whole or not at all; an existing one is replaced only on request."""

from __future__ import annotations

import os
from stat import S_IFREG
from typing import TYPE_CHECKING

from vmrescue.cli.terminal import say
from vmrescue.errors import RefusedError, WriteError
from vmrescue.files import kind_of, new_file, write_sparse
from vmrescue.printable import printable
from vmrescue.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from vmrescue.cli.options import ApplyOptions


def write_unless_dry(path: Path, content: bytes, options: ApplyOptions) -> bool:
    """As `write_whole`; in a dry run it only says what it would write. Returns whether it has written."""
    if not options.dry_run:
        write_whole(path, [content], options.yes)
        return True
    if os.path.lexists(path) and not options.yes:
        raise _is_there(path)
    if options.talkative:
        say(printable(f"{path}: {counted(len(content), 'byte')} would be written."))
        say("Nothing was written.")
    return False


def _is_there(path: Path) -> RefusedError:
    return RefusedError(f"{path} is there already; --yes (of get: --force) overwrites it")


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
        raise _is_there(path) from error
    except OSError as error:
        raise WriteError(f"cannot write {path}: {error.strerror}") from error
