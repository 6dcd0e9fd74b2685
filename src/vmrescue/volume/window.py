"""A range of a device, such as a partition, as a device of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.device import check_range, next_data, prefetch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmrescue.device import BlockDevice, Range


class Window:
    """The bytes [start, start + size) of `device`, as a device. Closing it leaves `device` open."""

    def __init__(self, device: BlockDevice, start: int, size: int) -> None:
        check_range("window", start, size, device.size)
        self.device = device
        self.start = start
        self.size = size
        self.sector_size = device.sector_size

    def read_at(self, offset: int, length: int) -> bytes:
        check_range("volume", offset, length, self.size)
        return self.device.read_at(self.start + offset, length)

    def next_data(self, offset: int) -> int:
        return min(next_data(self.device, self.start + offset) - self.start, self.size)

    def prefetch(self, ranges: Iterable[Range]) -> bool:
        inside = ((max(at, 0), min(at + length, self.size)) for at, length in ranges)
        return prefetch(self.device, ((self.start + at, end - at) for at, end in inside if at < end))

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        check_range("volume", offset, len(data), self.size)
        self.device.write_at(self.start + offset, data)

    def flush(self) -> None:
        self.device.flush()

    def close(self) -> None:
        """Nothing to do: whoever opened the device must close it."""
