"""The free space of a volume as its cluster bitmap shows it: how much, in how many extents, the longest of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


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
        count = min(clusters, len(chunk) * 8)
        if not count:
            break
        clusters -= count
        every = (1 << count) - 1
        bits = ~int.from_bytes(chunk, "little") & every
        free += bits.bit_count()
        extents += (bits & ~(bits << 1 | (run > 0))).bit_count()
        first = (~bits & bits + 1).bit_length() - 1
        largest = max(largest, run + first, longest_run(bits))
        run = run + count if bits == every else count - (~bits & every).bit_length()
    return FreeSpace(free, extents, max(largest, run))


def longest_run(bits: int) -> int:
    """The most set bits beside each other in a number."""
    if not bits:
        return 0
    starts = [bits]  # where runs of 1, 2, 4, 8, … begin
    while longer := starts[-1] & starts[-1] >> (1 << len(starts) - 1):
        starts.append(longer)
    found, length = starts[-1], 1 << len(starts) - 1
    for power in range(len(starts) - 2, -1, -1):
        if longer := found & starts[power] >> length:
            found, length = longer, length + (1 << power)
    return length
