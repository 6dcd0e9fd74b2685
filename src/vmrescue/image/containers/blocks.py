"""A disk whose container stores it in blocks. Each block is in the file (whole, or some of its sectors) or not.

What the file does not have is the parent's, or zeros.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from vmrescue.device import check_range, prefetch
from vmrescue.image.virtual_disk import Container

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmrescue.device import BlockDevice, Range
    from vmrescue.image.transports.file import ImageStore
    from vmrescue.image.virtual_disk import Facts

# Sectors are stored in groups of eight, one byte of the bitmap. libvhdi takes all bits after a set bit in its byte for
# set too, and would show zeros instead of the parent's bytes.
GROUP = 8


class BlockedDisk(Container):
    """A disk in blocks of `block_size` bytes.

    Args:
        store: the file; the disk then owns it.
        size, sector_size, block_size: bytes.
        parent: the disk below a differencing one, else None.
    """

    def __init__(
        self,
        facts: Facts,
        store: ImageStore,
        size: int,
        sector_size: int,
        block_size: int,
        parent: BlockDevice | None,
    ) -> None:
        super().__init__(facts, store)
        self.store = store
        self.size = size
        self.sector_size = sector_size
        self.block_size = block_size
        self.parent = parent

    @property
    def _seen(self) -> ImageStore:
        """The bytes of the file that count."""
        return self.store

    @abstractmethod
    def _read_piece(self, offset: int, length: int) -> Iterator[bytes]:
        """The bytes of a range inside one block, in parts."""

    @abstractmethod
    def _write_piece(self, offset: int, data: memoryview) -> None:
        """Writes inside one block, which gets other bytes by that."""

    @abstractmethod
    def stored(self, offset: int, length: int) -> Iterator[Range]:
        """As `Mapped.stored`. Bytes that are in no block have no part yet; writing them changes the table."""

    def read_at(self, offset: int, length: int) -> bytes:
        check_range(self.format, offset, length, self.size)
        parts: list[bytes] = []
        for start, extent in self._pieces(offset, length):
            parts.extend(self._read_piece(start, extent))
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def prefetch(self, ranges: Iterable[Range]) -> bool:
        """Announces the parts in the file; a parent lies on this machine, or is announced nothing."""
        if not prefetch(self.store):
            return False
        inside = ((max(at, 0), min(at + length, self.size)) for at, length in ranges)
        return prefetch(self.store, (part for at, end in inside if at < end for part in self.stored(at, end - at)))

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        check_range(self.format, offset, len(data), self.size)
        view = memoryview(data)
        for start, extent in self._pieces(offset, len(view)):
            piece = view[start - offset : start - offset + extent]
            if piece != self.read_at(start, extent):  # what changes nothing needs no block and no bit
                self._write_piece(start, piece)

    def _pieces(self, offset: int, length: int) -> Iterator[Range]:
        """The parts of a range, cut at the ends of blocks."""
        end = offset + length
        while offset < end:
            extent = min(end, (offset // self.block_size + 1) * self.block_size) - offset
            yield offset, extent
            offset += extent

    def _sectors_of(self, offset: int, length: int) -> tuple[int, int]:
        """The sectors of its block in which a range lies: (first, count)."""
        start = offset % self.block_size
        first = start // self.sector_size
        return first, (start + length - 1) // self.sector_size + 1 - first

    def _read_sectors(
        self, place: int, offset: int, length: int, runs: Iterable[tuple[int, int, bool]]
    ) -> Iterator[bytes]:
        """The bytes of a range inside a block of which the file has some sectors.

        Args:
            place: where in the file the block is.
            runs: (first sector, count, whether the file has them).
        """
        start = offset % self.block_size
        for sector, count, present in runs:
            begin = max(start, sector * self.sector_size)
            extent = min(start + length, (sector + count) * self.sector_size) - begin
            if present:
                yield self._seen.read_at(place + begin, extent)
            else:
                yield self._below(offset - start + begin, extent)

    def _in_groups(self, offset: int, data: memoryview) -> tuple[int, bytes]:
        """What to write for `data` inside a block of which the file has some sectors: whole groups of them.

        Returns (where in the block, the bytes).
        """
        start, end = offset % self.block_size, offset + len(data)
        unit = GROUP * self.sector_size
        before = start % unit
        after = min(-(start + len(data)) % unit, min(self.block_size, self.size - offset + start) - start - len(data))
        return start - before, b"".join((self.read_at(offset - before, before), data, self.read_at(end, after)))

    def _below(self, offset: int, length: int) -> bytes:
        """The bytes of a range that this file does not have: the parent's, or zeros."""
        if self.parent is None:
            return bytes(length)
        inside = max(0, min(length, self.parent.size - offset))
        data = self.parent.read_at(offset, inside) if inside else b""
        return data.ljust(length, b"\0")

    def flush(self) -> None:
        self.store.flush()

    def close(self) -> None:
        self.store.close()
        if self.parent is not None:
            self.parent.close()
