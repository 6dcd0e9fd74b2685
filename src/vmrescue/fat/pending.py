"""What an edit means to write: held back until the edit is complete, so that one which fails has written nothing."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vmrescue.disk.device import BlockDevice

CHUNK = 1 << 20


class PendingWrites:
    """The volume as it will be, seen through the sectors that wait to be written. For metadata: all stays in memory."""

    def __init__(self, device: BlockDevice, sector_size: int) -> None:
        self._device = device
        self._sector_size = sector_size
        self._sectors: dict[int, bytearray] = {}

    def read_at(self, offset: int, length: int) -> bytes:
        """Bytes as they will be after `commit`."""
        data = self._device.read_at(offset, length)
        if not self._sectors or not length:
            return data
        whole = bytearray(data)
        for sector in range(offset // self._sector_size, (offset + length - 1) // self._sector_size + 1):
            if waiting := self._sectors.get(sector):
                start = sector * self._sector_size - offset
                part = waiting[max(0, -start) : length - start]
                whole[max(0, start) : max(0, start) + len(part)] = part
        return bytes(whole)

    def write_at(self, offset: int, data: bytes | bytearray) -> None:
        """Holds the bytes back; they need not be aligned."""
        done = 0
        while done < len(data):
            sector, within = divmod(offset + done, self._sector_size)
            part = data[done : done + self._sector_size - within]
            if sector not in self._sectors:
                self._sectors[sector] = bytearray(self._device.read_at(sector * self._sector_size, self._sector_size))
            self._sectors[sector][within : within + len(part)] = part
            done += len(part)

    def commit(self) -> None:
        """Writes what was held back, in the order of the disk."""
        for _, run in groupby(enumerate(sorted(self._sectors)), key=lambda item: item[1] - item[0]):
            sectors = [sector for _, sector in run]
            data = b"".join(self._sectors[sector] for sector in sectors)
            write_differing(self._device, sectors[0] * self._sector_size, data, self._sector_size)
        self._sectors.clear()

    def drop(self) -> None:
        """Forgets what was held back."""
        self._sectors.clear()


def write_differing(device: BlockDevice, offset: int, data: bytes | memoryview, sector_size: int) -> None:
    """Writes those sectors of `data` that differ from what the device has at `offset`, a sector's start."""
    view = memoryview(data)
    for start in range(0, len(view), CHUNK):
        new = view[start : start + CHUNK]
        old = device.read_at(offset + start, len(new))
        if old == new:
            continue
        differing = [i for i in range(0, len(new), sector_size) if new[i : i + sector_size] != old[i : i + sector_size]]
        for _, run in groupby(enumerate(differing), key=lambda item: item[1] - item[0] * sector_size):
            parts = [part for _, part in run]
            device.write_at(offset + start + parts[0], new[parts[0] : parts[-1] + sector_size])
