"""Turns errors of third-party readers into our errors, with the structure and its position."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vmrescue.errors import FormatError, VmRescueError, missing_extra, place_text
from vmrescue.log import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import BinaryIO

    from vmrescue.device import Range

LOG = logger("readers")


@contextmanager
def reading(structure: str, position: int | None) -> Iterator[None]:
    """Raises FormatError with `structure` and its position on the disk instead of a third-party reader's exception.

    Damaged input makes those readers raise almost anything (EOFError, struct.error, IndexError, RecursionError, …).
    Their texts mean nothing to a user, who is told which structure cannot be read and where it begins.
    """
    try:
        yield
    except FormatError as error:
        told = error.structure.startswith(structure)  # by a reader of the same structure
        raise error.within(structure if told else f"{structure}{place_text(position)}") from error
    except VmRescueError:
        raise
    except ImportError as error:  # an optional reader is not installed
        raise missing_extra(f"{structure}s are read with dissect's readers", "foreign") from error
    except Exception as error:
        LOG.info("%s: its reader says %s: %s", structure, type(error).__name__, error)
        found, ended = "one that cannot be read", isinstance(error, EOFError)
        raise FormatError(structure, position, "an intact structure", found, beyond=ended) from error


class GuardedStream(io.RawIOBase):
    """A file's content from a third-party reader, with its errors turned into ours at each read.

    Args:
        stream: the reader's stream.
        structure, position: what the content belongs to, and where its volume begins on the disk (bytes).
        ahead: announces ranges of the content that will be read soon, as `device.Far.prefetch`; None: that cannot be.
    """

    def __init__(
        self,
        stream: BinaryIO,
        structure: str,
        position: int,
        ahead: Callable[[Iterable[Range]], bool] | None = None,
    ) -> None:
        super().__init__()
        self._ahead = ahead
        self._stream = stream
        self._structure = structure
        self._position = position

    def prefetch(self, ranges: Iterable[Range]) -> bool:
        """As `device.Far.prefetch`."""
        return self._ahead is not None and self._ahead(ranges)

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
