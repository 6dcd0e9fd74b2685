"""A device that remembers where it was written, and tells one state of its bytes from the next."""

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
    """Passes everything on to the disk below, and keeps what the check after the commit has to look at again.

    Attributes:
        written: the (offset, length) of each write.
        copied: what was copied within the disk, as whoever did it says.
        state: another number after each change; what was read of the disk in one state is so as long as it lasts.
    """

    def __init__(self, below: VirtualDisk) -> None:
        super().__init__(below)
        self.written: list[tuple[int, int]] = []
        self.copied: list[Copied] = []
        self.state = 0

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        self.state += 1  # first: a write that fails may have changed something
        super().write_at(offset, data)
        self.written.append((offset, len(data)))

    def resize(self, size: int) -> None:
        self.state += 1
        super().resize(size)

    def note(self, copied: Copied) -> None:
        """Takes note of what was copied past it."""
        self.state += 1
        self.copied.append(copied)

    def forget(self) -> None:
        """Forgets what was written and copied, because it is committed and confirmed."""
        self.written.clear()
        self.copied.clear()
