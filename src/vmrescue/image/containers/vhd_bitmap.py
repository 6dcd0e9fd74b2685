"""The sector bitmap of a VHD block: one bit for each sector, highest bit first, padded to whole sectors.

A set bit means that the block has the sector; a clear bit, that the sector is zero or, in a differencing disk, the
parent's. Source: Microsoft, "Virtual Hard Disk Image Format Specification", version 1.0, "Data Blocks".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.image.transports.file import SECTOR

if TYPE_CHECKING:
    from collections.abc import Iterator


def bitmap_size(block_size: int) -> int:
    """Bytes of the bitmap in the file, for a block of `block_size` bytes."""
    return -(-(block_size // SECTOR) // (8 * SECTOR)) * SECTOR


def bit_runs(bitmap: bytes, first: int, count: int) -> Iterator[tuple[int, int, bool]]:
    """The runs of equal bits among `count` > 0 bits from bit `first`: (first bit, number of bits, whether set)."""
    covering = bitmap[first // 8 : (first + count + 7) // 8]
    if not covering.strip(b"\xff") or not covering.strip(b"\0"):
        yield first, count, covering[0] != 0
        return
    start, value = first, _bit(bitmap, first)
    for at in range(first + 1, first + count):
        if _bit(bitmap, at) != value:
            yield start, at - start, value
            start, value = at, not value
    yield start, first + count - start, value


def with_bits(bitmap: bytes, first: int, count: int) -> bytes:
    """The bitmap with `count` bits set from bit `first`."""
    ones = ((1 << count) - 1) << (8 * len(bitmap) - first - count)
    return (int.from_bytes(bitmap, "big") | ones).to_bytes(len(bitmap), "big")


def _bit(bitmap: bytes, at: int) -> bool:
    return bool(bitmap[at >> 3] & (0x80 >> (at & 7)))
