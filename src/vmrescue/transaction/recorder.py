"""A device that remembers where it was written: what the check after the commit has to look at again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.image.virtual_disk import Layer

if TYPE_CHECKING:
    from vmrescue.image import VirtualDisk


class Recorder(Layer):
    """Passes everything on to the disk below, and keeps the (offset, length) of each write."""

    def __init__(self, below: VirtualDisk) -> None:
        super().__init__(below)
        self.written: list[tuple[int, int]] = []

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        super().write_at(offset, data)
        self.written.append((offset, len(data)))
