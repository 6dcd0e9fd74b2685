"""Files of this machine, opened and written so that a link or a pipe in a file's place is not followed."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, BinaryIO, TextIO, cast

from vmrescue.errors import FormatError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NEW_FILE = 0o666  # permissions, of which the user's mask takes some
UNFINISHED = ".unfinished"  # ends the name of what is being written, and is not to be used
NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)  # what file systems say that have no hard links


def kind_of(path: str | os.PathLike[str]) -> int:
    """What a path leads to, as `stat.S_IFMT` tells it; 0 where that is nothing, or the path is none (too long, a NUL).

    Of such a path pathlib's own questions raise what the operating system says.
    """
    try:
        return stat.S_IFMT(Path(path).stat().st_mode)
    except (OSError, ValueError):
        return 0


def open_regular(path: str | os.PathLike[str], flags: int) -> int:
    """The descriptor of a file that is one itself: a link is not followed, and a pipe is not waited for.

    It is an opener: ``open(path, "rb", opener=open_regular)``.

    Args:
        flags: as `os.open` takes them.

    Raises:
        RefusedError: it is something else.
        OSError: the operating system would not open it.
    """
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, NEW_FILE)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise RefusedError(f"{path} is a link, which is not followed") from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise RefusedError(f"{path} is not a regular file")
    return descriptor


def read_whole(stream: BinaryIO, most: int) -> bytes:
    """All that a stream holds. Raises RefusedError where that is more than `most` bytes; a file is not read then."""
    if os.fstat(stream.fileno()).st_size <= most:
        data = stream.read(most + 1)
        if len(data) <= most:
            return data
    raise RefusedError(f"{stream.name} holds more than {most} bytes, which are not read into memory")


def lines(stream: TextIO, name: str, longest: int) -> Iterator[tuple[int, str]]:
    """The lines of a text with their numbers from 1 on, and with what ends them.

    Raises:
        FormatError: one has more than `longest` characters, of which no more are read than that.
    """
    for number in count(1):
        line = stream.readline(longest + 1)
        if not line:
            return
        if len(line) > longest:
            raise FormatError(f"{name}, line {number}", None, f"a line of at most {longest} characters")
        yield number, line


def write_sparse(stream: BinaryIO, pieces: Iterable[bytes]) -> None:
    """Writes to a new file; pieces of zeros become holes, so that what an image claims to have fills no disk."""
    for piece in pieces:
        if piece == bytes(len(piece)):
            stream.seek(len(piece), os.SEEK_CUR)
        else:
            stream.write(piece)
    stream.truncate()  # a hole at the end counts too


@contextmanager
def new_file(path: Path, overwrite: bool) -> Iterator[BinaryIO]:
    """A stream for what a file is to hold; the file is there only once it is complete and on stable storage.

    Nobody can foresee its name until then, so that no link can lie in wait; one in the file's place is replaced.

    Raises:
        OSError: the operating system would not take it, or there is such a file, and it may not be overwritten.
    """
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
    """Gives a complete file its name, in the same folder. Nothing is replaced, be it a link that leads nowhere.

    Raises:
        FileExistsError: something has that name.
        OSError: the operating system would not do it.
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
