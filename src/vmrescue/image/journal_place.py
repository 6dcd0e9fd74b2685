"""The folder of an image's undo journals, and the journals in it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from vmrescue.errors import ReadError, RefusedError, WriteError
from vmrescue.files import kind_of
from vmrescue.image.transports.file import sync_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TORN, HOT, DONE, UNDONE, FINAL = "tmp", "hot", "done", "undone", "final"
SUFFIX = ".vmrescue"  # of the folder of an image's journals
LONGEST_NAME = 180  # characters; file systems allow 255
_NAME = re.compile(r"(\d{4,})\.(tmp|hot|done|undone|final)")


def beside(path: str | os.PathLike[str]) -> Path:
    """The folder beside the image itself (links followed). Whoever moves or copies the image must take it along.

    /dev does not survive a restart of the machine, so a block device's folder is in the user's state folder, under the
    device's most stable name.
    """
    path = Path(path).resolve()
    if kind_of(path) != stat.S_IFBLK:
        return path.with_name(path.name + SUFFIX)
    by_id = Path("/dev/disk/by-id")
    names = sorted(link.name for link in by_id.iterdir() if link.resolve() == path) if by_id.is_dir() else []
    return _state_folder((names or [path.name])[0])


def for_address(address: str) -> Path:
    """The folder of a remote image: in the user's state folder, under the image's address."""
    return _state_folder(quote(address, safe=""))


def _state_folder(name: str) -> Path:
    if len(name) > LONGEST_NAME:
        name = f"{name[:LONGEST_NAME]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    return state_home() / "vmrescue" / f"{name}{SUFFIX}"


def state_home() -> Path:
    """The user's folder for state. A relative path is not valid there (XDG Base Directory Specification): it is another
    folder from each folder.
    """
    given, home = Path(os.environ.get("XDG_STATE_HOME", "")), Path(os.environ.get("HOME", ""))
    return given if given.is_absolute() else (home if home.is_absolute() else Path("/")) / ".local" / "state"


def journal_files(folder: Path, owner: Callable[[], int], image: object) -> list[Path]:
    """The files of an image's journals, oldest first.

    A journal is written back to the image, so its folder must belong to somebody who may write to the image: `owner`,
    this user, or root. Raises RefusedError, naming `image`, if it belongs to another user; ReadError.
    """
    try:
        if (user := folder.stat().st_uid) not in (0, os.geteuid()) and user != owner():
            raise RefusedError(f"{folder} belongs to another user than {image}: its undo journals can't be trusted")
        found = [path for path in folder.iterdir() if _NAME.fullmatch(path.name)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise ReadError(f"cannot look for an undo journal in {folder}: {error.strerror}") from error
    return sorted(found, key=lambda path: int(path.stem))


def in_state(files: list[Path], state: str) -> list[Path]:
    """The journals in one state."""
    return [path for path in files if path.suffix == f".{state}"]


def make_folder(folder: Path) -> None:
    """Makes a folder and those above it, if they are missing, and syncs its name.

    Raises WriteError.
    """
    with naming(folder):
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        for path in reversed(missing):
            path.mkdir()
            sync_folder(path.parent)
        if not missing:
            sync_folder(folder.parent)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turns errors of the operating system at making or changing a name into WriteError."""
    try:
        yield
    except OSError as error:
        raise WriteError(f"cannot make, rename or sync {path}: {error.strerror}") from error


@contextmanager
def locked_file(folder: Path, name: str, path: str) -> Iterator[int]:
    """A file in the journals' folder of an image, locked against other repairs: its descriptor. The file stays.

    Args:
        path: the image's, for messages.

    Raises RefusedError where the folder cannot be made, or another process of this machine holds the file.
    """
    try:
        make_folder(folder)
        file = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except (OSError, WriteError) as error:
        raise RefusedError(f"nothing was changed: the undo journal's folder cannot be made: {error}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield file
    except BlockingIOError as error:
        raise RefusedError(f"{path} is being changed by another process of this machine") from error
    finally:
        os.close(file)
