"""The writes of an edit, kept until it is complete, so that a failed edit writes nothing."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from vmrescue.device import next_data, prefetch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmrescue.device import BlockDevice, Range

CHUNK = 1 << 20


class PendingWrites:
    """A volume with the pending changes of an edit. Changed sectors of metadata are kept in memory and read from there.

    Content of files is kept by reference, not copied, and cannot be read back before `commit`.
    """

    def __init__(self, device: BlockDevice, sector_size: int) -> None:
        self._device = device
        self._sector_size = sector_size
        self._sectors: dict[int, bytearray] = {}
        self._content: list[tuple[int, memoryview]] = []

    def read_at(self, offset: int, length: int) -> bytes:
        """Bytes as they will be after `commit`, except files' content."""
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

    def prefetch(self, ranges: Iterable[Range]) -> bool:
        return prefetch(self._device, ranges)

    def next_data(self, offset: int) -> int:
        """The first byte from `offset` on that may be other than zero: see `device.next_data`."""
        there = next_data(self._device, offset)
        size = self._sector_size
        waiting = (max(offset, sector * size) for sector in self._sectors if (sector + 1) * size > offset)
        return min([there, *waiting]) if there > offset else there

    def write_at(self, offset: int, data: bytes | bytearray) -> None:
        """Keeps a write of metadata, which need not be aligned."""
        done = 0
        while done < len(data):
            sector, within = divmod(offset + done, self._sector_size)
            part = data[done : done + self._sector_size - within]
            if len(part) < self._sector_size and sector not in self._sectors:
                self._sectors[sector] = bytearray(self._device.read_at(sector * self._sector_size, self._sector_size))
            self._sectors.setdefault(sector, bytearray(part))[within : within + len(part)] = part
            done += len(part)

    def write_content(self, offset: int, data: memoryview) -> None:
        """Keeps a write of a file's content, to clusters that belong to that file."""
        self._content.append((offset, data))

    def commit(self) -> None:
        """Writes everything: content first, then metadata in the order of the disk."""
        for offset, data in self._content:
            write_differing(self._device, offset, data, self._sector_size)
        for _, run in groupby(enumerate(sorted(self._sectors)), key=lambda item: item[1] - item[0]):
            sectors = [sector for _, sector in run]
            joined = b"".join(self._sectors[sector] for sector in sectors)
            write_differing(self._device, sectors[0] * self._sector_size, memoryview(joined), self._sector_size)
        self.drop()

    def drop(self) -> None:
        """Drops all pending writes."""
        self._sectors.clear()
        self._content.clear()


def write_differing(device: BlockDevice, offset: int, data: bytes | memoryview, sector_size: int) -> None:
    """Writes those sectors of `data` that differ from what the device has at `offset`."""
    view = memoryview(data)
    for start in range(0, len(view), CHUNK):
        new = bytes(view[start : start + CHUNK])  # comparing bytes is many times faster than comparing a memoryview
        old = device.read_at(offset + start, len(new))
        if old == new:
            continue
        differing = [
            at for at in range(0, len(new), sector_size) if new[at : at + sector_size] != old[at : at + sector_size]
        ]
        for _, run in groupby(enumerate(differing), key=lambda item: item[1] - item[0] * sector_size):
            parts = [part for _, part in run]
            device.write_at(offset + start + parts[0], new[parts[0] : parts[-1] + sector_size])
