"""Look-up tables for packing: the order of clusters, and attributes by length."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vmrescue.ntfs.bitmap import Piece
    from vmrescue.ntfs.defrag.layout import Key


class Order:
    """Clusters in the order in which areas are packed."""

    def __init__(self, areas: list[Piece]) -> None:
        self._areas = sorted((start, before) for (start, _), before in zip(areas, _ends(areas), strict=True))

    def place(self, cluster: int) -> int:
        """The cluster's place: the number of clusters that are packed before it."""
        index = bisect_right(self._areas, (cluster, 1 << 62)) - 1
        start, before = self._areas[max(index, 0)]
        return before + cluster - start


def _ends(areas: list[Piece]) -> list[int]:
    """For each area, the number of clusters in the areas before it."""
    before, total = [], 0
    for start, end in areas:
        before.append(total)
        total += end - start
    return before


class Shelf:
    """Attributes by length, and those of one length by place (`Order.place`), to find one that fits into a hole."""

    def __init__(self) -> None:
        self._lengths: list[int] = []
        self._by_length: dict[int, list[tuple[int, Key]]] = {}
        self._places: dict[Key, int] = {}

    def put(self, length: int, place: int, key: Key) -> None:
        """Adds an attribute, or gives it a new place."""
        if not self._by_length.setdefault(length, []):
            index = bisect_left(self._lengths, length)
            if self._lengths[index : index + 1] != [length]:
                self._lengths.insert(index, length)
        insort(self._by_length[length], (place, key))
        self._places[key] = place

    def take(self, longest: int, beyond: int) -> Key | None:
        """Removes and returns the longest attribute of at most `longest` clusters at or beyond a place, or None.

        Of several, the furthest.
        """
        index = bisect_right(self._lengths, longest) - 1
        while index >= 0:
            found = self._furthest(self._lengths[index], beyond)
            if found is not None:
                self._by_length[self._lengths[index]].pop()
                del self._places[found]
                return found
            del self._lengths[index]
            index -= 1
        return None

    def shortest(self, beyond: int) -> int | None:
        """The length of the shortest attribute at or beyond a place; None if there is none."""
        while self._lengths and self._furthest(self._lengths[0], beyond) is None:
            del self._lengths[0]
        return self._lengths[0] if self._lengths else None

    def _furthest(self, length: int, beyond: int) -> Key | None:
        """The furthest attribute of a length; entries that are out of date or before `beyond` are dropped."""
        entries = self._by_length[length]
        while entries:
            place, key = entries[-1]
            if self._places.get(key) == place:
                if place >= beyond:
                    return key
                entries.clear()
            else:
                entries.pop()
        return None
