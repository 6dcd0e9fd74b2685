"""Large arrays in which only used pages take memory: a damaged volume may claim any size."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

BITS = 1 << 15  # bits of a page
NUMBERS = 1 << 12  # numbers of a page
FULL = (1 << BITS) - 1  # shared by all pages with all bits set


class PagedBits:
    """An array of bits, all clear at first."""

    def __init__(self) -> None:
        self._pages: dict[int, int] = {}

    def set(self, first: int, count: int) -> Iterator[tuple[int, int]]:
        """Sets bits; yields those that were set before, for each page: (first bit, bits as a number)."""
        end = first + count
        while first < end:
            page, low = divmod(first, BITS)
            high = min(low + end - first, BITS)
            mask = FULL if high - low == BITS else (1 << high) - (1 << low)
            old = self._pages.get(page, 0)
            bits = old | mask
            self._pages[page] = FULL if bits == FULL else bits
            yield page * BITS, old & mask
            first += high - low

    def any(self, first: int, end: int) -> bool:
        """Whether one of the bits from `first` up to, not including, `end` is set."""
        while first < end:
            page, low = divmod(first, BITS)
            high = min(low + end - first, BITS)
            if self._pages.get(page, 0) >> low & (1 << high - low) - 1:
                return True
            first += high - low
        return False

    def page(self, first: int) -> int:
        """The bits of the page that begins with bit `first`, as a number."""
        return self._pages.get(first // BITS, 0)


class PagedNumbers:
    """An array of numbers, all 0 at first. `typecode`, as of `array`: ``"H"`` for 16 bits, ``"I"`` for 32."""

    def __init__(self, typecode: Literal["H", "I"]) -> None:
        self._empty = array(typecode, [0]) * NUMBERS
        self._pages: dict[int, array[int]] = {}

    def __getitem__(self, index: int) -> int:
        page = self._pages.get(index // NUMBERS)
        return page[index % NUMBERS] if page else 0

    def __setitem__(self, index: int, value: int) -> None:
        page = self._pages.get(index // NUMBERS)
        if page is None:
            page = self._pages[index // NUMBERS] = self._empty[:]
        page[index % NUMBERS] = value

    def items(self) -> Iterator[tuple[int, int]]:
        """The numbers that are not 0, ascending: (index, number)."""
        for number, page in sorted(self._pages.items()):
            yield from ((number * NUMBERS + within, value) for within, value in enumerate(page) if value)
