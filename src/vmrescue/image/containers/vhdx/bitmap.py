"""The sector bitmap of a differencing VHDX: one bit for each sector, lowest bit first ([MS-VHDX] 2.4).

A set bit means that the file has the sector; a clear bit, that it is the parent's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_RUN = re.compile("0+|1+")


def bit_runs(bitmap: bytes, first: int, count: int) -> Iterator[tuple[int, int, bool]]:
    """The runs of equal bits among `count` > 0 bits from bit `first`: (first bit, number of bits, whether set)."""
    covering = int.from_bytes(bitmap[first // 8 : (first + count + 7) // 8], "little") >> first % 8
    digits = format(covering & ((1 << count) - 1), f"0{count}b")[::-1]
    for run in _RUN.finditer(digits):
        yield first + run.start(), run.end() - run.start(), digits[run.start()] == "1"


def with_bits(bitmap: bytes, first: int, count: int) -> bytes:
    """The bitmap with `count` bits set from bit `first`."""
    ones = ((1 << count) - 1) << first
    return (int.from_bytes(bitmap, "little") | ones).to_bytes(len(bitmap), "little")
