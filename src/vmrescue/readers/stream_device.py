"""A stream as a device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.device import check_range, prefetch
from vmrescue.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import BinaryIO

    from vmrescue.device import Range


class StreamDevice:
    """The first `size` bytes of a stream as a read-only BlockDevice; `name` is for errors."""

    sector_size = 512

    def __init__(self, stream: BinaryIO, size: int, name: str) -> None:
        self.size = size
        self._stream = stream
        self._name = name

    def read_at(self, offset: int, length: int) -> bytes:
        check_range(self._name, offset, length, self.size)
        self._stream.seek(offset)
        data = self._stream.read(length)
        check_range(self._name, offset, length, offset + len(data))
        return data

    def prefetch(self, ranges: Iterable[Range]) -> bool:
        return prefetch(self._stream, ranges)

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        raise RefusedError(f"{self._name} is only read")

    def flush(self) -> None:
        """Nothing to do: nothing is ever written."""

    def close(self) -> None:
        """Nothing to do: whoever opened the stream must close it."""
