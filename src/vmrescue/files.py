"""Opens and writes files of this machine safely: links and pipes in a file's place are not followed."""

from __future__ import annotations

import errno
import os
import re
import stat
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO, cast

from vmrescue.errors import FormatError, RefusedError, WriteError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NEW_FILE = 0o666  # permissions, before the user's umask
HEAD = 4 << 10  # bytes by which a file of ours is known
UNFINISHED = ".unfinished"  # suffix of a file that is being written
NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)  # errors of file systems without hard links


# How an image and one of its volumes are named together: ``os.vhd:2``, ``os.vhd:C``.
IMAGE_AND_VOLUME = re.compile(r"(?P<image>.+):(?P<volume>\d{1,9}|[A-Za-z]):?")


def kind_of(path: str | os.PathLike[str]) -> int:
    """The file type of a path, as `stat.S_IFMT` gives it; 0 if nothing is there or the path is not valid.

    pathlib's own functions raise OSError for a path that is not valid (too long, with a NUL).
    """
    try:
        return stat.S_IFMT(Path(path).stat().st_mode)
    except (OSError, ValueError):
        return 0


def open_untouched(path: str | os.PathLike[str], flags: int) -> int:
    """As `os.open`; the time of the file's last access stays as it is, where the system lets us. Use as an opener."""
    try:
        return os.open(path, flags | os.O_NOATIME | os.O_CLOEXEC, NEW_FILE)
    except PermissionError:  # of a file that is somebody else's the time of access is kept for nobody
        return os.open(path, flags | os.O_CLOEXEC, NEW_FILE)


def open_regular(path: str | os.PathLike[str], flags: int) -> int:
    """Opens a regular file; links are not followed, and it does not wait for a pipe. Returns the descriptor.

    Use as an opener: ``open(path, "rb", opener=open_regular)``.

    Args:
        flags: as for `os.open`.

    Raises:
        RefusedError: it is not a regular file.
        OSError: it cannot be opened.
    """
    try:
        descriptor = open_untouched(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise RefusedError(f"{path} is a link, which is not followed") from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise RefusedError(f"{path} is not a regular file")
    return descriptor


def must_be_ours(path: Path, beginnings: Iterable[bytes], what: str, kept: str = "") -> None:
    """Raises RefusedError where a file is there that is not empty and does not begin as vmrescue's own.

    What replaces a file or adds to it asks this first: a slip of the hand must not cost an image.

    Args:
        beginnings: with one of these it begins, after white space.
        what: that is, in words.
        kept: where one of vmrescue's own is kept too: what the user may do, in words.
    """
    if kind_of(path) != stat.S_IFREG or path.is_symlink():  # a link is refused or replaced
        return
    try:
        with open(path, "rb", opener=open_untouched) as stream:
            head = stream.read(HEAD).lstrip()
    except OSError as error:
        raise WriteError(f"cannot write {path}: {error.strerror}") from error
    if head and not head.startswith(tuple(beginnings)):
        raise RefusedError(f"{path} is there already and is no {what}: it is left as it is")
    if head and kept:
        raise RefusedError(f"{path} is there already: {kept}")


def read_whole(stream: BinaryIO, most: int) -> bytes:
    """The whole content of a stream. Raises RefusedError if it has more than `most` bytes; a file is then not read."""
    if os.fstat(stream.fileno()).st_size <= most:
        data = stream.read(most + 1)
        if len(data) <= most:
            return data
    raise RefusedError(f"{stream.name} has more than {most} bytes: more are not read of such a file")


def lines(stream: TextIO, name: str, longest: int) -> Iterator[tuple[int, str]]:
    """The lines of a text, with their ends: (number from 1, line).

    Raises:
        FormatError: a line has more than `longest` characters; the rest of it is not read.
    """
    for number in count(1):
        line = stream.readline(longest + 1)
        if not line:
            return
        if len(line) > longest:
            raise FormatError(f"{name}, line {number}", None, f"a line of at most {longest} characters")
        yield number, line


def write_sparse(stream: BinaryIO, pieces: Iterable[bytes]) -> None:
    """Writes to a new file; pieces of zeros become holes, so that a sparse image does not fill the disk."""
    for piece in pieces:
        if piece == bytes(len(piece)):
            stream.seek(len(piece), os.SEEK_CUR)
        else:
            stream.write(piece)
    stream.truncate()  # extends the file by a hole at its end


@contextmanager
def new_file(path: Path, overwrite: bool) -> Iterator[BinaryIO]:
    """Gives a stream to write a file; the file appears only when it is complete and on stable storage.

    Until then it has a random name, so that nobody can prepare a link. A link in the file's place is replaced.

    Raises:
        OSError: it cannot be written, or the file exists and may not be overwritten.
    """
    from tempfile import NamedTemporaryFile  # here, because it is slow to import, and what only reads does not need it

    with NamedTemporaryFile(
        dir=path.parent, prefix=f".{path.name[:40]}.", suffix=UNFINISHED, delete=False
    ) as unfinished:
        try:
            yield cast("BinaryIO", unfinished)
            unfinished.flush()
            os.fsync(unfinished.fileno())
            mask = os.umask(0)
            os.umask(mask)
            os.fchmod(unfinished.fileno(), NEW_FILE & ~mask)
            if overwrite:
                Path(unfinished.name).replace(path)
            else:
                give_name(Path(unfinished.name), path)
        finally:
            Path(unfinished.name).unlink(missing_ok=True)


def give_name(unfinished: Path, path: Path) -> None:
    """Gives a complete file its name, in the same folder. Nothing is replaced, not even a broken link.

    Raises:
        FileExistsError: the name exists.
        OSError: any other error of the operating system.
    """
    try:
        os.link(unfinished, path, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
    else:
        unfinished.unlink()
        return
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    unfinished.rename(path)


def write_whole(path: Path, content: Iterable[bytes], overwrite: bool) -> None:
    """Writes what comes out of an image to a file, which is there only once it is complete.

    A link in the file's place is replaced, not followed: somebody may have put it there for what is copied to go
    elsewhere.

    Raises:
        RefusedError: there is such a file, and it may not be overwritten.
        WriteError: the operating system would not take it.
    """
    try:
        if overwrite and kind_of(path) not in (0, stat.S_IFREG):  # a device or a pipe, which is not ours to replace
            with path.open("wb") as stream:
                stream.writelines(content)
            return
        with new_file(path, overwrite) as unfinished:
            write_sparse(unfinished, content)
    except FileExistsError as error:
        raise is_there(path) from error
    except OSError as error:
        raise WriteError(f"cannot write {path}: {error.strerror}") from error


def is_there(path: Path) -> RefusedError:
    """The error for a file that would have to be overwritten."""
    if path.is_dir():
        return RefusedError(f"{path} is a folder: name a file in it")
    return RefusedError(f"{path} is there already; --yes (of get: --force) overwrites it")
