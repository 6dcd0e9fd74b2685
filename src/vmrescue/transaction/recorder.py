"""A device that remembers where it was written: what the check after the commit has to look at again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.disk.device import next_data

if TYPE_CHECKING:
    from vmrescue.disk import Store


class Recorder:
    """Passes everything on to `device`, and keeps the (offset, length) of each write."""

    def __init__(self, device: Store) -> None:
        self._device = device
        self.written: list[tuple[int, int]] = []

    @property
    def size(self) -> int:
        return self._device.size

    @property
    def sector_size(self) -> int:
        return self._device.sector_size

    def read_at(self, offset: int, length: int) -> bytes:
        return self._device.read_at(offset, length)

    def next_data(self, offset: int) -> int:
        return next_data(self._device, offset)

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        self._device.write_at(offset, data)
        self.written.append((offset, len(data)))

    def resize(self, size: int) -> None:
        self._device.resize(size)

    def flush(self) -> None:
        self._device.flush()

    def close(self) -> None:
        self._device.close()
