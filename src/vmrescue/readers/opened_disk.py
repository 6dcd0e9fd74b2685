"""A disk in another product's container, opened by a third-party reader: a stream with a size, read with limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vmrescue.dataclass import dataclass
from vmrescue.device import check_range
from vmrescue.errors import FormatError
from vmrescue.readers.guard import reading

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vmrescue.device import Readable

SECTOR = 512
UNIT = 64 << 10  # bytes read at once for a reader of containers, which reads its tables field by field


@dataclass(frozen=True)
class OpenedDisk:
    """A reader's disk: a seekable stream of `size` bytes.

    Attributes:
        step: bytes; reads must not cross multiples of it. None: they may.
        warnings: oddities of the container, in sentences.
        holes: function: offset -> first offset from there on whose byte may be nonzero; None if the container does not
            tell.
    """

    stream: Any
    size: int
    sector_size: int = SECTOR
    step: int | None = None
    warnings: tuple[str, ...] = ()
    holes: Callable[[int], int] | None = None

    def next_data(self, name: str, offset: int) -> int:
        """The first offset from `offset` on whose byte may be nonzero; the disk's size if there is none."""
        if self.holes is None or offset >= self.size:
            return min(offset, self.size)
        with reading(name, offset):
            return min(max(offset, self.holes(offset)), self.size)

    def read_at(self, name: str, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from byte `offset` of the disk. `name` is for errors. Raises FormatError."""
        check_range(name, offset, length, self.size)
        parts = []
        end = offset + length
        while offset < end:
            count = end - offset if self.step is None else min(end - offset, self.step - offset % self.step)
            with reading(name, offset):
                self.stream.seek(offset)
                part = bytes(self.stream.read(count))
            if len(part) != count:
                raise FormatError(name, offset, f"{count} bytes of the disk", f"{len(part)}", beyond=True)
            parts.append(part)
            offset += count
        return b"".join(parts)


@dataclass(frozen=True)
class Extent:
    """A part of a disk, of `size` bytes. It is read in whole sectors, by (offset, length) in bytes.

    `holes`: as `OpenedDisk.holes`, in bytes of the part.
    """

    size: int
    read_at: Callable[[int, int], bytes]
    holes: Callable[[int], int] | None = None


def joined(extents: Sequence[Extent], warnings: tuple[str, ...] = ()) -> OpenedDisk:
    """The disk made of parts, one after the other."""
    from vmrescue.readers.joined_stream import JoinedStream  # here, because dissect.util is slow to import

    stream = JoinedStream([(extent.size, extent.read_at) for extent in extents], SECTOR)
    return OpenedDisk(stream, stream.size, warnings=warnings, holes=lambda offset: _next_data(extents, offset))


def _next_data(extents: Sequence[Extent], offset: int) -> int:
    start = 0
    for extent in extents:
        if offset < start + extent.size:
            within = max(0, offset - start)
            there = extent.holes(within) if extent.holes else within
            if there < extent.size:
                return start + there
        start += extent.size
    return start


def must_begin_inside(what: str, place: int, store: Readable) -> None:
    """Raises FormatError if something that a table of a file names begins behind the file's end, at byte `place`."""
    if place >= store.size:
        raise FormatError(what, None, f"only places inside the file's {store.size} bytes", f"byte {place}", beyond=True)


def next_block(offset: int, size: int, is_hole: Callable[[int], bool]) -> int:
    """`OpenedDisk.holes` for a disk in blocks of `size` bytes.

    `is_hole`: block number -> whether the block is all zero; must be False after the last block.
    """
    block = offset // size
    while is_hole(block):
        block += 1
    return max(offset, block * size)
