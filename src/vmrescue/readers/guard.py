"""Errors of the readers of others become errors of ours, with the structure and its place."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vmrescue.errors import FormatError, VmRescueError, missing_extra

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO


@contextmanager
def reading(structure: str, position: int | None) -> Iterator[None]:
    """Names `structure` and its first byte on the disk in place of a third-party reader's own exception.

    Damaged input makes those readers raise almost anything (EOFError, struct.error, IndexError, RecursionError, …).
    What they say is for whoever mends them: a user is told which structure cannot be read, and where it begins.
    """
    try:
        yield
    except FormatError as error:
        raise error.within(structure) from error
    except VmRescueError:
        raise
    except ImportError as error:  # those that are always installed have no such error
        raise missing_extra(f"{structure}s are read with dissect's readers", "foreign") from error
    except Exception as error:
        found = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise FormatError(structure, position, "an intact structure", found) from error


class GuardedStream(io.RawIOBase):
    """A file's content as a third-party reader gives it, whenever that is read.

    Args:
        stream: the reader's own.
        structure, position: whose content it is, and the first byte of its volume.
    """

    def __init__(self, stream: BinaryIO, structure: str, position: int) -> None:
        super().__init__()
        self._stream = stream
        self._structure = structure
        self._position = position

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        with reading(self._structure, self._position):
            return bytes(self._stream.read(-1 if size is None else size))

    def readall(self) -> bytes:
        return self.read()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        with reading(self._structure, self._position):
            return int(self._stream.seek(offset, whence))

    def tell(self) -> int:
        return int(self._stream.tell())
