"""The space inside a hive's bins: free cells, allocating and freeing cells, growing the hive.

Source: M. Suhanov, "Windows registry file format specification", sections "Hive bin" and "Cell".
"""

from __future__ import annotations

import struct
import sys
from array import array
from bisect import bisect_left, bisect_right, insort
from typing import TYPE_CHECKING, NoReturn

from vmrescue.errors import FormatError
from vmrescue.registry.cells import BINS, PAGE, SIZE, Cells

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BIN = b"hbin"
BIN_HEADER = struct.Struct("<4sII8xQI")  # signature, offset, size, (reserved), time stamp, spare
READ_AHEAD = 1 << 20  # bytes; most bins have one page, and their headers are read in order
LEAST = 8  # bytes of the smallest cell
MAX_BINS_SIZE = 0x7FFFF000  # the high bit of an offset marks volatile cells


def bin_at(cells: Cells, offset: int) -> int:
    """The size in bytes of the bin that begins at `offset`. Raises FormatError if there is none."""
    return bin_size(cells.data[BINS + offset : BINS + offset + BIN_HEADER.size], 0, offset, cells.bins_size)


def bin_size(data: bytes | memoryview, position: int, offset: int, bins_size: int) -> int:
    """The size in bytes of the bin at `offset` whose header is at `position` of `data`. Raises as `bin_at`."""
    signature, itself, size, _, _ = BIN_HEADER.unpack_from(data, position)
    if signature != BIN:
        raise FormatError("bin", BINS + offset, "the signature 'hbin'", signature)
    if itself != offset:
        raise FormatError("bin", BINS + offset, f"its own offset from the first bin, 0x{offset:x}", f"0x{itself:x}")
    if size < PAGE or size % PAGE or offset + size > bins_size:
        raise FormatError("bin", BINS + offset, f"a size in whole pages, at most {bins_size - offset}", size)
    return int(size)


def bins(read: Callable[[int, int], bytes], bins_size: int) -> Iterator[int]:
    """The offset of each bin. Raises FormatError if they do not follow each other up to `bins_size`.

    Args:
        read: gives bytes of the hive's file, by offset and length.
    """
    offset = start = 0
    ahead = b""  # the bytes from `start` on
    while offset < bins_size:
        if offset - start + BIN_HEADER.size > len(ahead):
            start, ahead = offset, read(BINS + offset, min(READ_AHEAD, bins_size - offset))
        yield offset
        offset += bin_size(ahead, offset - start, offset, bins_size)


class Space:
    """The free and the used cells of a hive. A bin is read when it is first needed.

    Raises FormatError, before anything is written, if a bin's cells do not fill it exactly.
    """

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self._starts = list(bins(cells.data.peek, cells.bins_size))
        # One entry for each bin, None until the bin is read: offset of a cell -> its size in bytes.
        self._free: list[dict[int, int] | None] = [None] * len(self._starts)
        self._used: list[dict[int, int] | None] = [None] * len(self._starts)
        self._by_size: list[tuple[int, int]] = []  # all known free cells as (size, offset), sorted
        # Bins from this one on were read. The search goes backwards, because the last bins most often have room.
        self._seen_from = len(self._starts)

    def allocate(self, length: int, near: int) -> int:
        """A new used cell for `length` bytes of content, in the bin of the cell `near` if that has room."""
        size = max(length + 4 + 7 & ~7, LEAST)
        home = self._look(self._bin(near))
        fitting = [(found, offset) for offset, found in home.items() if found >= size]
        found, offset = min(fitting) if fitting else self._best(size)
        self._take(offset, found, size)
        return offset

    def free(self, offset: int) -> None:
        """Frees a used cell and joins it with free cells on either side."""
        index = self._bin(offset)
        free = self._look(index)
        size = self._used_in(index).pop(offset, None)
        if size is None:
            raise FormatError("cell", BINS + offset, "a cell in use", "none")
        before = next((start for start, length in free.items() if start + length == offset), None)
        if offset + size in free:
            size += self._forget(index, offset + size)
        if before is not None:
            size += self._forget(index, before)
            offset = before
        self._remember(index, offset, size)

    def resize(self, offset: int, length: int, near: int) -> int:
        """Makes room for `length` bytes in a cell. Returns the same cell if it has room or can grow, else a copy."""
        position, room = self._cells.find(offset, "cell")
        if length <= room or self._extend(offset, length):
            return offset
        moved = self.allocate(length, near)
        self._cells.fill(moved, self._cells.data[position : position + room])
        self.free(offset)
        return moved

    def _extend(self, offset: int, length: int) -> bool:
        """Grows a cell into the free cell after it; False if there is none or it is too small."""
        index = self._bin(offset)
        free = self._look(index)
        have = self._used_in(index).get(offset)
        size = length + 4 + 7 & ~7
        if have is None or have + free.get(offset + have, 0) < size:
            return False
        rest = have + self._forget(index, offset + have) - size
        self._used_in(index)[offset] = size
        self._cells.write(BINS + offset, SIZE.pack(-size))
        self._cells.write(BINS + offset + have, bytes(size - have))
        if rest:
            self._remember(index, offset + size, rest)
        return True

    def _best(self, size: int) -> tuple[int, int]:
        """(size, offset) of the smallest known free cell that fits; of one in a new bin if there is none."""
        while True:
            place = bisect_left(self._by_size, (size, 0))
            if place < len(self._by_size):
                return self._by_size[place]
            if self._seen_from:
                self._seen_from -= 1
                self._look(self._seen_from)
            else:
                self._grow(size)

    def _take(self, offset: int, found: int, size: int) -> None:
        index = self._bin(offset)
        self._forget(index, offset)
        used = self._used[index]
        if used is not None:
            used[offset] = size
        self._cells.write(BINS + offset, SIZE.pack(-size))
        if found > size:
            self._remember(index, offset + size, found - size)

    def _remember(self, index: int, offset: int, size: int) -> None:
        free = self._look(index)
        free[offset] = size
        insort(self._by_size, (size, offset))
        self._cells.write(BINS + offset, SIZE.pack(size))

    def _forget(self, index: int, offset: int) -> int:
        size = self._look(index).pop(offset)
        del self._by_size[bisect_left(self._by_size, (size, offset))]
        return size

    def _bin(self, offset: int) -> int:
        return bisect_right(self._starts, offset) - 1

    def _look(self, index: int) -> dict[int, int]:
        """The free cells of a bin; the first call reads the bin."""
        known = self._free[index]
        if known is not None:
            return known
        start = self._starts[index]
        words = self._words(start)
        free: dict[int, int] = {}
        place = BIN_HEADER.size // 4
        while place < len(words):  # before the hive grows this runs over all of its cells, so it is kept short
            size = words[place]
            if size > 0:
                free[start + 4 * place] = size
            if size & 7 or not size:
                break
            place += abs(size) // 4
        if place != len(words):
            self._raise_bad_cell(start)
        self._free[index] = free
        for offset, size in free.items():
            insort(self._by_size, (size, offset))
        return free

    def _used_in(self, index: int) -> dict[int, int]:
        """The used cells of a bin; needed only if its cells are freed or extended."""
        known = self._used[index]
        if known is not None:
            return known
        self._look(index)
        start = self._starts[index]
        words = self._words(start)
        used: dict[int, int] = {}
        place = BIN_HEADER.size // 4
        while place < len(words):
            if words[place] < 0:
                used[start + 4 * place] = -words[place]
            place += abs(words[place]) // 4
        self._used[index] = used
        return used

    def _words(self, start: int) -> array[int]:
        """A bin as 32-bit numbers."""
        words = array("i")
        words.frombytes(self._cells.data[BINS + start : BINS + start + bin_at(self._cells, start)])
        if sys.byteorder == "big":
            words.byteswap()
        return words

    def _raise_bad_cell(self, start: int) -> NoReturn:
        end = start + bin_at(self._cells, start)
        offset = start + BIN_HEADER.size
        while True:
            size = self._cells.data.unpack(SIZE, BINS + offset)[0]
            if not size or size & 7 or offset + abs(size) > end:
                raise FormatError("cell", BINS + offset, f"a size of 8 to {end - offset}, by eights", size)
            offset += abs(size)

    def _grow(self, size: int) -> None:
        """Appends a bin with a free cell of at least `size` bytes."""
        cells = self._cells
        start = cells.bins_size
        length = (size + BIN_HEADER.size + PAGE - 1) // PAGE * PAGE
        if start + length > MAX_BINS_SIZE:
            raise FormatError("base block", 40, f"bins of at most {MAX_BINS_SIZE} bytes", start + length)
        header = BIN_HEADER.pack(BIN, start, length, 0, 0)
        cells.write(BINS + start, header.ljust(length, b"\0"))
        cells.bins_size += length
        self._starts.append(start)
        self._free.append({})
        self._used.append({})
        self._remember(len(self._starts) - 1, start + BIN_HEADER.size, length - BIN_HEADER.size)
