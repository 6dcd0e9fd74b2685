"""A disk in memory: the bytes of a small image, changed freely by a test without touching a file."""

from __future__ import annotations

from vmrescue.device import check_range


class MemoryDevice:
    """A writable device over a copy of `data`; `writes` lists the (offset, length) of every write so far."""

    def __init__(self, data: bytes | bytearray, sector_size: int = 512) -> None:
        self.data = bytearray(data)
        self.sector_size = sector_size
        self.writes: list[tuple[int, int]] = []

    @property
    def size(self) -> int:
        return len(self.data)

    def read_at(self, offset: int, length: int) -> bytes:
        check_range("disk", offset, length, self.size)
        return bytes(self.data[offset : offset + length])

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        check_range("disk", offset, len(data), self.size)
        self.writes.append((offset, len(data)))
        self.data[offset : offset + len(data)] = data

    def resize(self, size: int) -> None:
        """Cuts it, or makes it longer with zeros, as a file."""
        del self.data[size:]
        self.data += bytes(size - len(self.data))

    def flush(self) -> None:
        """Memory is as stable as it gets."""

    def close(self) -> None:
        """Nothing to release."""
