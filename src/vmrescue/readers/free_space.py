"""The free space of a volume as its cluster bitmap shows it: how much, in how many extents, the longest of them.

A diagnosis that asks for free space goes through the whole bitmap, 4 MB for a disk of 127 GB, so this is written for
speed: bits are counted in numbers as long as the chunks, a MiB each; and a bitmap is mostly long stretches of zeros,
which are skipped as bytes where the longest extent is looked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LONG = 512  # bytes of zeros that are worth skipping
_ZEROS = bytes(1 << 20)


@dataclass(frozen=True)
class FreeSpace:
    """Clusters that are free, the extents that they make up, and the clusters of the longest extent."""

    clusters: int
    extents: int
    largest: int


def free_space(chunks: Iterable[bytes], clusters: int) -> FreeSpace:
    """Goes once through a bitmap of `clusters` bits, of which set ones are in use; the lowest bit comes first."""
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
    """The chunk without what lies behind the last cluster; the bits that fill its last byte are in use."""
    chunk = chunk[: -(-clusters // 8)]
    over = len(chunk) * 8 - clusters
    return chunk if over <= 0 else chunk[:-1] + bytes([chunk[-1] | 0xFF & ~0 << 8 - over])


def _free_at_start(chunk: bytes) -> int:
    end = _end_of_zeros(chunk, 0)
    return end * 8 + (_low_zeros(chunk[end]) if end < len(chunk) else 0)


def _longest(chunk: bytes, used: int, least: int) -> int:
    """The most clear bits beside each other; `least` where there are no more than that."""
    long = max(LONG, least // 8 - 1)  # a longer run has as many whole bytes
    at = chunk.find(_ZEROS[:long])
    if at < 0:
        return least if long > LONG else longest_run(~used & (1 << len(chunk) * 8) - 1, least)
    while at >= 0:
        end = _end_of_zeros(chunk, at + long)
        before = 8 - chunk[at - 1].bit_length() if at else 0
        behind = _low_zeros(chunk[end]) if end < len(chunk) else 0
        least = max(least, before + (end - at) * 8 + behind)
        long = max(LONG, least // 8 - 1)
        at = chunk.find(_ZEROS[:long], end)
    return least


def _end_of_zeros(chunk: bytes, at: int) -> int:
    """Where the zeros that begin at `at` end: found by steps that double, and halve again."""
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
    """The most set bits beside each other in a number, `least` where there are no more; the more, the longer it takes.

    First only the runs of more than `least` are kept, by where they begin.
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
