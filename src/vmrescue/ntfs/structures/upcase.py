"""The volume's table of upper-case letters ($UpCase), by which names are sorted and found.

It maps each 16-bit unit by itself. Only the parts of the table that are needed are read.
Source: linux-ntfs documentation, "$UpCase".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PART = 2048  # units read at a time
UNITS = 0x10000


class UpCase(dict[int, int]):
    """Unit -> upper-case unit, for `str.translate`. `read(offset, length)` gives the table's bytes."""

    def __init__(self, read: Callable[[int, int], bytes]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, unit: int) -> int:
        if unit >= UNITS:  # surrogates have no upper case
            return unit
        first = unit - unit % PART
        self.update(
            zip(range(first, first + PART), struct.unpack(f"<{PART}H", self._read(2 * first, 2 * PART)), strict=True)
        )
        return self[unit]

    def key(self, name: str) -> bytes:
        """The name's sort key, in which case does not matter."""
        return name.translate(self).encode("utf-16-be", "surrogatepass")
