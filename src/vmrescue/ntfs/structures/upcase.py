"""The volume's own table of upper cases ($UpCase), by which names are sorted and found.

It maps each 16-bit unit by itself. Only the parts of the table that names ask for are read.
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
    """Upper cases by unit, as `str.translate` wants them. `read(offset, length)` gives the table's bytes."""

    def __init__(self, read: Callable[[int, int], bytes]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, unit: int) -> int:
        if unit >= UNITS:  # a pair of surrogates, which have no upper case
            return unit
        first = unit - unit % PART
        self.update(
            zip(range(first, first + PART), struct.unpack(f"<{PART}H", self._read(2 * first, 2 * PART)), strict=True)
        )
        return self[unit]

    def key(self, name: str) -> bytes:
        """What sorts as the name does when case does not matter."""
        return name.translate(self).encode("utf-16-be", "surrogatepass")
