"""Adapters: a device as the file-like object that dissect needs, and a stream as a device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dissect.util.stream import AlignedStream

from vmrescue.device import check_range, prefetch
from vmrescue.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import BinaryIO

    from vmrescue.device import Range, Readable

READ_UNIT = 4096  # bytes read at least, a cluster of nearly every Windows volume


class DeviceStream(AlignedStream):  # type: ignore[misc]  # dissect.util has no types
    """A device as a stream, read in aligned units of `unit` bytes."""

    def __init__(self, device: Readable, unit: int = READ_UNIT) -> None:
        super().__init__(size=device.size, align=unit)
        self._device = device

    def _read(self, offset: int, length: int) -> bytes:
        return self._device.read_at(offset, min(length, self._device.size - offset))

    def prefetch(self, ranges: Iterable[Range]) -> bool:
        return prefetch(self._device, ranges)


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
