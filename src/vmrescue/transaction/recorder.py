"""A device that remembers where it was written: what the check after the commit has to look at again."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vmrescue.image.virtual_disk import Layer

if TYPE_CHECKING:
    from vmrescue.image import VirtualDisk


class Copied(NamedTuple):
    """Bytes of the disk that were copied to another place of it, past this device."""

    source: int
    target: int
    length: int


class Recorder(Layer):
    """Passes everything on to the disk below, and keeps where it was written.

    Attributes:
        written: the (offset, length) of each write.
        copied: what was copied within the disk, as whoever did it says.
    """

    def __init__(self, below: VirtualDisk) -> None:
        super().__init__(below)
        self.written: list[tuple[int, int]] = []
        self.copied: list[Copied] = []

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        super().write_at(offset, data)
        self.written.append((offset, len(data)))

    def forget(self) -> None:
        """Forgets what was written and copied, because it is committed and confirmed."""
        self.written.clear()
        self.copied.clear()
