"""A hive's bytes, read by pages that are kept, and its cells; and the keys in a list of subkeys.

Source: M. Suhanov, "Windows registry file format specification": cell, subkeys list.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO

from vmrescue.device import prefetch
from vmrescue.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

BINS = 4096  # position of the first bin in the file
LEAST_CELL = 8  # bytes
SIGNATURE = b"regf"
LEAST_KEY = 80  # bytes of the smallest key's cell; bounds the number of keys in a hive
UNIT = 4096
_GAP = 4  # units; smaller gaps between wanted units are read too, because another read would cost as much
_MOST_AT_ONCE = 256  # most units in one read
_SIZE = struct.Struct("<i")
# Key node: flags, parent, number of subkeys, their list, number of values, their list, length of the name.
NODE, NAME_IN_NODE = struct.Struct("<2xH12xII4xI4xII28xH"), 76
# Key value: length of the name, size of the data (top bit: they stand in the next field), their cell, type, flags.
VALUE = struct.Struct("<2xHIIIH2x")
ONE_BYTE_KEY, ONE_BYTE_VALUE = 0x20, 0x01  # flags of either: the name is Latin-1
INLINE, LARGEST_IN_ONE_CELL = 0x80000000, 16344  # of the data's size: the top bit; the most bytes without segments
STRIDES = {b"li": 4, b"lf": 8, b"lh": 8}


def name_in(cell: bytes, at: int, length: int, one_byte: int) -> str:
    """The name in a key node or a key value. `one_byte`: whether its flag says that it is Latin-1."""
    raw = cell[at : at + length]
    return raw.decode("latin-1") if one_byte else raw[: len(raw) & ~1].decode("utf-16-le", "surrogatepass")


class Pages:
    """The hive's bytes; units that were read are kept."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self.size = size
        self.stream = stream
        self.kept: dict[int, bytes] = {}

    def read(self, position: int, length: int) -> bytes:
        first, at = divmod(position, UNIT)
        page = self._page(first)
        if at + length <= UNIT:
            return page[at : at + length]
        last = (position + length - 1) // UNIT
        return b"".join(self._page(each) for each in range(first, last + 1))[at : at + length]

    def fetch(self, offsets: list[int]) -> None:
        """Reads the units in which these cells begin, adjacent ones in one read."""
        last = self.size // UNIT
        wanted = sorted({min((BINS + offset) // UNIT, last) for offset in offsets} - self.kept.keys())
        runs: list[list[int]] = []
        for number in wanted:
            if runs and number - runs[-1][1] <= _GAP and number - runs[-1][0] < _MOST_AT_ONCE:
                runs[-1][1] = number
            else:
                runs.append([number, number])
        prefetch(self.stream, ((first * UNIT, (end + 1 - first) * UNIT) for first, end in runs))
        for first, end in runs:
            self.stream.seek(first * UNIT)
            data = self.stream.read(min((end + 1) * UNIT, self.size) - first * UNIT)
            for number in range(first, end + 1):
                self.kept.setdefault(number, data[(number - first) * UNIT : (number - first + 1) * UNIT])

    def _page(self, number: int) -> bytes:
        page = self.kept.get(number)
        if page is None:
            self.stream.seek(number * UNIT)
            page = self.kept[number] = self.stream.read(min(UNIT, self.size - number * UNIT))
        return page

    def cell(self, offset: int, most: int = 1 << 20) -> bytes:
        position = BINS + offset
        first, at = divmod(position, UNIT)
        page = self.kept.get(first)
        if page is not None and at + 4 <= UNIT and 0 <= offset <= self.size - BINS - LEAST_CELL:
            size = abs(_SIZE.unpack_from(page, at)[0])
            if LEAST_CELL <= size <= UNIT - at and position + size <= self.size:
                return page[at + 4 : at + size]  # the usual case: a small cell in a unit that was read
        if not 0 <= offset <= self.size - BINS - LEAST_CELL:
            raise FormatError("cell", position, f"a place among the hive's {self.size} bytes")
        size = abs(_SIZE.unpack(self.read(position, 4))[0])
        if not LEAST_CELL <= size <= min(self.size - position, most):
            raise FormatError("cell", position, f"a size of {LEAST_CELL} to {self.size - position} bytes", size)
        return self.read(position + 4, size - 4)


def subkey_cells(pages: Pages, offset: int, count: int, depth: int = 0) -> Iterator[int]:
    """The cells of the keys in a list."""
    if not count:
        return
    cell = pages.cell(offset)
    kind, listed = cell[:2], int.from_bytes(cell[2:4], "little")
    if kind == b"ri" and not depth:
        for at in range(4, min(4 + 4 * listed, len(cell) - 3), 4):
            yield from subkey_cells(pages, int.from_bytes(cell[at : at + 4], "little"), count, depth + 1)
        return
    stride = STRIDES.get(kind)
    if stride is None or listed > pages.size // LEAST_KEY:
        raise FormatError("subkey list", BINS + offset, "a list of keys", kind)
    for at in range(4, min(4 + stride * listed, len(cell) - 3), stride):
        yield int.from_bytes(cell[at : at + 4], "little")
