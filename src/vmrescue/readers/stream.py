"""A device as the file-like object that dissect needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dissect.util.stream import AlignedStream

from vmrescue.device import prefetch

if TYPE_CHECKING:
    from collections.abc import Iterable

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
