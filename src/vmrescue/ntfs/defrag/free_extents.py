"""The free clusters of a volume in memory, for the planner, which searches them thousands of times."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmrescue.ntfs.bitmap import Piece


class FreeExtents:
    """Free clusters as extents, neighbours joined, found by position and by length.

    Memory: two tuples for each extent.
    """

    def __init__(self, pieces: Iterable[Piece] = ()) -> None:
        self._places: list[Piece] = sorted(pieces)  # (first, length)
        self._sizes: list[Piece] = sorted((length, first) for first, length in self._places)  # (length, first)
        self.clusters = sum(length for _, length in self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Piece]:
        return iter(self._places)

    @property
    def largest(self) -> Piece:
        """The longest extent; (0, 0) if no cluster is free."""
        return self._sizes[-1][::-1] if self._sizes else (0, 0)

    def length_at(self, cluster: int) -> int:
        """How many clusters are free from `cluster` on."""
        index = bisect_right(self._places, (cluster, 1 << 62)) - 1
        if index < 0:
            return 0
        first, length = self._places[index]
        return max(0, first + length - cluster)

    def has_any_of(self, first: int, count: int) -> bool:
        """Whether one of these clusters is free."""
        index = bisect_left(self._places, (first + count, 0)) - 1
        return index >= 0 and sum(self._places[index]) > first

    def next_after(self, cluster: int) -> int | None:
        """The start of the first extent that begins after `cluster`; None if there is none."""
        index = bisect_right(self._places, (cluster, 1 << 62))
        return self._places[index][0] if index < len(self._places) else None

    def shortest(self, count: int) -> int | None:
        """The start of the shortest extent of at least `count` clusters; None if there is none."""
        index = bisect_left(self._sizes, (count, 0))
        return self._sizes[index][1] if index < len(self._sizes) else None

    def longest(self, count: int) -> list[Piece]:
        """`count` clusters of the longest extents, in the volume's order; empty if fewer are free."""
        found: list[Piece] = []
        for length, first in reversed(self._sizes):
            taken = min(length, count)
            found.append((first, taken))
            count -= taken
            if not count:
                return sorted(found)
        return []

    def take(self, first: int, count: int) -> None:
        """Removes clusters that are now in use; those that are not free here are skipped."""
        end = first + count
        index = max(0, bisect_right(self._places, (first, 1 << 62)) - 1)
        while index < len(self._places) and self._places[index][0] < end:
            start, length = self._places[index]
            low, high = max(start, first), min(start + length, end)
            if low >= high:
                index += 1
                continue
            self._drop(index)
            for part, part_end in ((high, start + length), (start, low)):
                if part < part_end:
                    self._add(index, part, part_end - part)
            index += start < low

    def give(self, first: int, count: int) -> None:
        """Adds clusters that are now free, joined with their neighbours."""
        index = bisect_left(self._places, (first, 0))
        if index < len(self._places) and self._places[index][0] == first + count:
            count += self._drop(index)[1]
        if index and sum(self._places[index - 1]) == first:
            index -= 1
            start, length = self._drop(index)
            first, count = start, length + count
        self._add(index, first, count)

    def _add(self, index: int, first: int, length: int) -> None:
        self._places.insert(index, (first, length))
        insort(self._sizes, (length, first))
        self.clusters += length

    def _drop(self, index: int) -> Piece:
        first, length = self._places.pop(index)
        del self._sizes[bisect_left(self._sizes, (length, first))]
        self.clusters -= length
        return first, length
