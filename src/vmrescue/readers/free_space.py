"""The free space in a volume's cluster bitmap: free clusters, number of extents, and the longest extent.

A diagnosis that needs the free space reads the whole bitmap, 4 MB for a disk of 127 GB, so this is written for speed:
bits are counted in integers of a whole chunk (1 MiB), and the search for the longest extent skips long stretches of
zeros, of which a bitmap mostly consists, as bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

LONG = 512  # a stretch of so many zero bytes is skipped
_ZEROS = bytes(1 << 20)


@dataclass(frozen=True)
class FreeSpace:
    """The number of free clusters, the number of their extents, and the clusters of the longest extent."""

    clusters: int
    extents: int
    largest: int


def free_space(chunks: Iterable[bytes], clusters: int) -> FreeSpace:
    """Reads a bitmap of `clusters` bits once. Set bits are in use; the lowest bit of a byte comes first."""
    free = extents = largest = 0
    run = 0  # free clusters at the end of the last chunk
    for chunk in chunks:
        if not clusters:
            break
        chunk = _padded(chunk, clusters)
        clusters -= min(clusters, len(chunk) * 8)
        size, used = len(chunk) * 8, int.from_bytes(chunk, "little")
        first, last = _free_at_start(chunk), size - used.bit_length()
        changes = (used ^ used >> 1).bit_count() - (not last)  # the last bit has no neighbour
        extents += (changes + (first > 0) + (last > 0)) // 2 - (run > 0 and first > 0)
        free += size - used.bit_count()
        largest = _longest(chunk, used, max(largest, run + first))
        run = last if used else run + size
    return FreeSpace(free, extents, largest)


def _padded(chunk: bytes, clusters: int) -> bytes:
    """The chunk cut after the last cluster; the unused bits of its last byte are set (in use)."""
    chunk = chunk[: -(-clusters // 8)]
    over = len(chunk) * 8 - clusters
    return chunk if over <= 0 else chunk[:-1] + bytes([chunk[-1] | 0xFF & ~0 << 8 - over])


def _free_at_start(chunk: bytes) -> int:
    end = _end_of_zeros(chunk, 0)
    return end * 8 + (_low_zeros(chunk[end]) if end < len(chunk) else 0)


def _longest(chunk: bytes, used: int, least: int) -> int:
    """The length of the longest run of clear bits, at least `least`."""
    end = 0
    while (at := chunk.find(_ZEROS[: (long := max(LONG, _whole_bytes(least)))], end)) >= 0:
        end = _end_of_zeros(chunk, at + long)
        before = 8 - chunk[at - 1].bit_length() if at else 0
        behind = _low_zeros(chunk[end]) if end < len(chunk) else 0
        least = max(least, before + (end - at) * 8 + behind)
    return least if _whole_bytes(least) >= LONG else longest_run(~used & (1 << len(chunk) * 8) - 1, least)


def _whole_bytes(bits: int) -> int:
    """The fewest whole bytes of a run that is longer than so many bits."""
    return bits // 8 - 1


def _end_of_zeros(chunk: bytes, at: int) -> int:
    """Where the zeros that begin at `at` end. Searches in steps that double and then halve."""
    step = 1
    while chunk.startswith(_ZEROS[:step], at):
        at, step = at + step, min(step * 2, len(_ZEROS))
    while step > 1:
        step //= 2
        if chunk.startswith(_ZEROS[:step], at):
            at += step
    return at


def _low_zeros(byte: int) -> int:
    return (byte & -byte).bit_length() - 1


def longest_run(bits: int, least: int = 0) -> int:
    """The length of the longest run of set bits in a number, at least `least`. Takes longer the longer the run is.

    Runs of at most `least` bits are dropped first.
    """
    length = 1
    while bits and length <= least:
        step = min(length, least + 1 - length)
        bits, length = bits & bits >> step, length + step
    return length - 1 + _longest_run(bits) if bits else least


def _longest_run(bits: int) -> int:
    starts = [bits]  # where runs of 1, 2, 4, 8, … begin
    while longer := starts[-1] & starts[-1] >> (1 << len(starts) - 1):
        starts.append(longer)
    found, length = starts[-1], 1 << len(starts) - 1
    for power in range(len(starts) - 2, -1, -1):
        if longer := found & starts[power] >> length:
            found, length = longer, length + (1 << power)
    return length
