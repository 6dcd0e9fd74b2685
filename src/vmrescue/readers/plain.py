"""What the readers of plain files share: where a file's content lies, and a stream of it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, NamedTuple

from vmrescue.device import prefetch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vmrescue.device import BlockDevice, Range


class NotPlainError(Exception):
    """Something is not as it usually is: dissect is asked for it."""


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
