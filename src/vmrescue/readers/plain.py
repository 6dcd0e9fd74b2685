"""What the readers of plain files share: when dissect is asked, where a content lies, and a stream of it."""

from __future__ import annotations

import io
import struct
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO, Generic, NamedTuple, Protocol, TypeVar

from vmrescue.device import prefetch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vmrescue.device import BlockDevice, Range
    from vmrescue.readers.nature import Nature


class NotPlainError(Exception):
    """Something is not as it usually is: dissect is asked for it."""


NOT_PLAIN = (NotPlainError, struct.error, ValueError)  # what reading something else raises


class Files(Protocol):
    """What both readers of a volume tell: see `FileSystem`."""

    @property
    def geometry(self) -> dict[str, int | None]: ...

    @property
    def cluster_size(self) -> int: ...

    @property
    def hidden_sectors(self) -> int: ...

    @property
    def total_bytes(self) -> int: ...

    @property
    def label(self) -> str: ...

    def size_of(self, path: str) -> int | None: ...

    def nature(self, path: str) -> Nature | None: ...

    def open(self, path: str) -> BinaryIO: ...

    def stored(self, path: str) -> BinaryIO: ...

    def head(self, path: str, length: int) -> tuple[int, bytes]: ...

    def spelled(self, path: str) -> str: ...


Plain = TypeVar("Plain", bound=Files)
Full = TypeVar("Full", bound=Files)
Answer = TypeVar("Answer")


class PlainFirst(Generic[Plain, Full]):
    """A volume's files: what is plain of them is read from its bytes, all else is asked of dissect's reader, `full`."""

    def __init__(self, device: BlockDevice, position: int, plain: Callable[[BlockDevice], Plain]) -> None:
        self._device = device
        self._position = position
        try:
            self._plain: Plain | None = plain(device)
        except NOT_PLAIN:
            self._plain = None
        self.cluster_size = self._nearest.cluster_size

    @cached_property
    def full(self) -> Full:
        raise NotImplementedError

    @property
    def _nearest(self) -> Plain | Full:
        """For what the boot sector tells: that is plain, or nothing is."""
        return self._plain or self.full

    def _ask(self, question: Callable[[Plain | Full], Answer]) -> Answer:
        if self._plain:
            try:
                return question(self._plain)
            except NOT_PLAIN:
                pass
        return question(self.full)

    @property
    def geometry(self) -> dict[str, int | None]:
        return self._nearest.geometry

    @property
    def hidden_sectors(self) -> int:
        return self._nearest.hidden_sectors

    @property
    def total_bytes(self) -> int:
        return self._nearest.total_bytes

    @property
    def label(self) -> str:
        return self._ask(lambda files: files.label)

    def size_of(self, path: str) -> int | None:
        return self._ask(lambda files: files.size_of(path))

    def nature(self, path: str) -> Nature | None:
        return self._ask(lambda files: files.nature(path))

    def open(self, path: str) -> BinaryIO:
        return self._ask(lambda files: files.open(path))

    def stored(self, path: str) -> BinaryIO:
        return self._ask(lambda files: files.stored(path))

    def head(self, path: str, length: int) -> tuple[int, bytes]:
        return self._ask(lambda files: files.head(path, length))

    def spelled(self, path: str) -> str:
        return self._ask(lambda files: files.spelled(path))


class Stored(NamedTuple):
    """A content: its bytes, if they lie with its description; else its runs, (first cluster, number of clusters)."""

    size: int
    value: bytes | None
    runs: tuple[tuple[int, int], ...]
    initialized: int


def read_stored(device: BlockDevice, stored: Stored, unit: int, at: int, length: int, start: int = 0) -> bytes:
    """Bytes of a content, as far as it goes; zeros behind its initialized size.

    Args:
        unit: bytes of a cluster.
        start: where cluster 0 begins, in bytes from the volume's start.
    """
    length = max(min(length, stored.size - at), 0)
    if stored.value is not None:
        return stored.value[at : at + length]
    wanted, begin = min(length, max(stored.initialized - at, 0)), 0
    parts: list[bytes] = []
    for cluster, count in stored.runs:
        if not wanted:
            break
        end = begin + count * unit
        if at < end:
            piece = min(wanted, end - at)
            parts.append(device.read_at(start + cluster * unit + at - begin, piece))
            at, wanted = at + piece, wanted - piece
        begin = end
    return b"".join(parts).ljust(length, b"\0")


def announce_stored(device: BlockDevice, stored: Stored, unit: int, ranges: Iterable[Range]) -> bool:
    """Announces ranges of a content as `device.Far.prefetch`; arguments as for `read_stored`."""
    wanted: list[Range] = []
    for offset, length in ranges if prefetch(device) else ():
        begin = 0
        for cluster, count in stored.runs:
            low, high = max(offset, begin), min(offset + length, begin + count * unit)
            if low < high:
                wanted.append((cluster * unit + low - begin, high - low))
            begin += count * unit
    return prefetch(device, wanted)


class Content(io.RawIOBase):
    """The content of a file. `ahead`: announces ranges of it; None: that gains nothing."""

    def __init__(
        self,
        read: Callable[[Stored, int, int], bytes],
        stored: Stored,
        ahead: Callable[[Stored, Iterable[Range]], bool] | None = None,
    ) -> None:
        super().__init__()
        self._ahead = ahead
        self._read = read
        self._stored = stored
        self._at = 0

    def prefetch(self, ranges: Iterable[Range]) -> bool:
        """As `device.Far.prefetch`."""
        return self._ahead is not None and self._ahead(self._stored, ranges)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(offset + (0, self._at, self._stored.size)[whence], 0)
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        data = self._read(self._stored, self._at, self._stored.size if size is None or size < 0 else size)
        self._at += len(data)
        return data

    def readall(self) -> bytes:
        return self.read()
