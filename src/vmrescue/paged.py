"""Arrays as long as a volume says it is, of which only the used pages take memory: what a volume says may be false."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

BITS = 1 << 15  # of a page: a cluster each
NUMBERS = 1 << 12  # of a page
FULL = (1 << BITS) - 1  # one number serves all pages that are wholly set


class PagedBits:
    """Bits by their index, none of them set at first."""

    def __init__(self) -> None:
        self._pages: dict[int, int] = {}

    def set(self, first: int, count: int) -> Iterator[tuple[int, int]]:
        """Sets bits; yields (first bit, bits as a number) of those in each page that were set before."""
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

    def page(self, first: int) -> int:
        """The bits of the page that begins with bit `first`, as a number."""
        return self._pages.get(first // BITS, 0)


class PagedNumbers:
    """Numbers by their index, all of them 0 at first; `typecode` is an array's: ``"H"`` has 16 bits, ``"I"`` 32."""

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
        """(index, number) of those that are not 0, ascending."""
        for number, page in sorted(self._pages.items()):
            yield from ((number * NUMBERS + within, value) for within, value in enumerate(page) if value)
