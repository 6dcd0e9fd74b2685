"""A device as the file-like object that the dissect readers want."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dissect.util.stream import AlignedStream

if TYPE_CHECKING:
    from vmrescue.disk.device import BlockDevice

READ_UNIT = 4096  # one cluster of nearly every Windows volume: neighbours of a small field come with it


class DeviceStream(AlignedStream):  # type: ignore[misc]  # dissect.util has no types
    """Reads a BlockDevice in aligned units."""

    def __init__(self, device: BlockDevice) -> None:
        super().__init__(size=device.size, align=READ_UNIT)
        self._device = device

    def _read(self, offset: int, length: int) -> bytes:
        return self._device.read_at(offset, min(length, self._device.size - offset))
