"""The block allocation table of a VHDX: for each block its state and its place in the file ([MS-VHDX] 2.5).

An entry is a number of 64 bits: the state in the lowest three, and the place, whole MiB, from bit 20 on. After the
entries of each chunk of blocks there is one for the sector bitmap of that chunk.

The table of a large disk is large (64 TiB in blocks of 1 MiB: 512 MiB), so it is read in pages, when they are needed.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_right
from itertools import pairwise
from typing import TYPE_CHECKING, NoReturn

from vmrescue.device import next_data
from vmrescue.errors import FormatError
from vmrescue.image.containers.vhdx.layout import (
    BITMAP_BLOCK,
    ENTRY_SIZE,
    FULLY_PRESENT,
    MIB,
    NOT_PRESENT,
    OLD_UNMAPPED,
    PARTIALLY_PRESENT,
    PLACE,
    STATE,
    UNMAPPED,
)

if TYPE_CHECKING:
    from vmrescue.device import BlockDevice
    from vmrescue.image.containers.vhdx.metadata import Metadata

PAGE = 8192  # entries
PAGES = 64  # pages that are kept
RESERVED = (MIB - 1) & ~STATE


class Bat:
    """The table in a file.

    Args:
        store: the file.
        offset: where the table begins, in bytes.
        metadata: the sizes of the disk.
    """

    def __init__(self, store: BlockDevice, offset: int, metadata: Metadata) -> None:
        self.offset = offset
        self._store = store
        self._chunk = metadata.blocks_of_chunk
        self._pages: dict[int, array[int]] = {}
        self.adjust(metadata)

    def adjust(self, metadata: Metadata) -> None:
        """Takes note of another size of the disk."""
        self._pages.clear()
        self.blocks = metadata.blocks
        self.entries = metadata.entries
        self._is_differencing = metadata.parent is not None
        self._block_size = metadata.block_size
        self._last = metadata.size - (metadata.blocks - 1) * metadata.block_size  # bytes of the last block

    def index(self, block: int) -> int:
        """The index of a block's entry."""
        return block + block // self._chunk

    def bitmap_index(self, block: int) -> int:
        """The index of the entry of the sector bitmap of a block's chunk."""
        return (block // self._chunk + 1) * (self._chunk + 1) - 1

    def position(self, index: int) -> int:
        """Where in the file an entry is."""
        return self.offset + index * ENTRY_SIZE

    def block(self, block: int) -> tuple[int, int]:
        """(state, place in bytes) of a block. Raises FormatError for what the format does not allow."""
        index = self.index(block)
        state, place = self._entry(index)
        if state == FULLY_PRESENT or (state == PARTIALLY_PRESENT and self._is_differencing):
            self._must_be_inside(index, place, self._needed(block))
        elif not (NOT_PRESENT <= state <= UNMAPPED or state == OLD_UNMAPPED):
            self._wrong(index, "a state that such a disk's block may have", f"state {state}")
        return state, place

    def bitmap(self, block: int) -> int | None:
        """The place of the sector bitmap of a block's chunk; None if the file has none."""
        index = self.bitmap_index(block)
        state, place = self._entry(index)
        if state == NOT_PRESENT:
            return None
        if state != FULLY_PRESENT:
            self._wrong(index, "the state 0 or 6 of a sector bitmap", f"state {state}")
        self._must_be_inside(index, place, BITMAP_BLOCK)
        return place

    def next_used(self, block: int) -> int:
        """The first block from `block` on whose entry is not zero, or that lies where another page is to be read."""
        while block < self.blocks:
            index = self.index(block)
            page = index // PAGE
            if self._is_empty(page):
                block = self._first_block_from((page + 1) * PAGE)
                continue
            if self._page(page)[index % PAGE]:
                break
            block += 1
        return min(block, self.blocks)

    def _first_block_from(self, index: int) -> int:
        """The first block whose entry has this index or a higher one."""
        chunk, within = divmod(index, self._chunk + 1)
        return chunk * self._chunk + within  # the entry of a bitmap leads to the first block of the next chunk

    def check(self, others: list[tuple[int, int, str]]) -> None:
        """Checks that all blocks are inside the file and that none overlaps another, or anything else.

        Args:
            others: (begin, end, name) of the other structures of the file.

        Raises FormatError.
        """
        blocks, bitmaps = self._places()
        last = self.block(self.blocks - 1)[1]
        if blocks and blocks[-1] + (self._last if blocks[-1] == last else self._block_size) > self._store.size:
            expected = f"a whole block inside the file of {self._store.size} bytes"
            self._wrong(self._index_of(blocks[-1]), expected, f"byte {blocks[-1]}", beyond=True)
        for place, following in pairwise(blocks):
            if following - place < (self._last if place == last else self._block_size):
                self._wrong(self._index_of(place), f"a block apart from the one at byte {following}", f"byte {place}")
        taken = [*((place, place + BITMAP_BLOCK, "a sector bitmap") for place in bitmaps), *others]
        for (begin, end, name), (following, *_) in pairwise([*sorted(taken), (1 << 63, 0, "")]):
            if end > following:
                raise FormatError(
                    "VHDX file", begin, f"{name} apart from what begins at byte {following}", f"end {end}"
                )
            at = bisect_right(blocks, begin - self._block_size)
            if at < len(blocks) and blocks[at] < end:
                self._wrong(self._index_of(blocks[at]), f"a block apart from {name}", f"byte {blocks[at]}")

    def must_be_apart(self, begin: int, end: int, others: list[tuple[int, int, str]]) -> None:
        """Raises FormatError if a block or another structure begins behind `begin`, before `end`."""
        blocks, bitmaps = self._places()
        for place in (*blocks, *bitmaps, *(other for other, _, _ in others)):
            if begin < place < end:
                raise FormatError("VHDX file", place, f"nothing before byte {end}: the last block ends there")

    def bitmaps(self) -> list[int]:
        """The places of the sector bitmaps, ascending."""
        return self._places()[1]

    def _places(self) -> tuple[list[int], list[int]]:
        """The places of all blocks that are present, and those of the sector bitmaps; each ascending."""
        blocks, bitmaps = array("Q"), array("Q")
        most = self._store.size // MIB
        for number in range(-(-self.entries // PAGE)):
            if self._is_empty(number):
                continue
            page = array("Q", self._page(number))
            first = (self._chunk - number * PAGE) % (self._chunk + 1)
            bitmaps.extend(entry for entry in page[first :: self._chunk + 1] if entry & STATE == FULLY_PRESENT)
            del page[first :: self._chunk + 1]
            blocks.extend(entry for entry in page if entry & STATE >= FULLY_PRESENT)
            if len(blocks) + len(bitmaps) > most:
                expected = f"no more blocks than a file of {self._store.size} bytes can hold"
                self._wrong(number * PAGE, expected, f"{len(blocks) + len(bitmaps)}", beyond=True)
        return sorted(entry & PLACE for entry in blocks), sorted(entry & PLACE for entry in bitmaps)

    def _index_of(self, place: int) -> int:
        """The index of the entry that names a place; for messages."""
        return next(index for index in range(self.entries) if self._entry(index)[1] == place)

    def set(self, index: int, state: int, place: int) -> tuple[int, bytes]:
        """Changes an entry. Returns where in the file it is, and its bytes, which the caller has to write."""
        page, within = divmod(index, PAGE)
        self._page(page)[within] = state | place
        return self.position(index), (state | place).to_bytes(ENTRY_SIZE, "little")

    def moved(self, store: BlockDevice, offset: int) -> None:
        """Takes note that the table is to be read from another view of the file, or begins at another place."""
        self._store = store
        self.offset = offset
        self._pages.clear()

    def _entry(self, index: int) -> tuple[int, int]:
        entry = self._page(index // PAGE)[index % PAGE]
        if entry & RESERVED:
            self._wrong(index, "zeros between the state and the place", hex(entry))
        return entry & STATE, entry & PLACE

    def _page(self, number: int) -> array[int]:
        found = self._pages.get(number)
        if found is None:
            if len(self._pages) >= PAGES:
                self._pages.pop(next(iter(self._pages)))
            first = number * PAGE
            count = min(PAGE, self.entries - first)
            found = array("Q", self._store.read_at(self.position(first), count * ENTRY_SIZE))
            if sys.byteorder == "big":
                found.byteswap()
            self._pages[number] = found
        return found

    def _is_empty(self, number: int) -> bool:
        """Whether a page has only zeros; a hole of the file is not read."""
        if number in self._pages:
            return not any(self._pages[number])
        start = self.position(number * PAGE)
        end = min(start + PAGE * ENTRY_SIZE, self.position(self.entries))
        return next_data(self._store, start) >= end or not any(self._page(number))

    def _needed(self, block: int) -> int:
        """Bytes of a block that the disk has: the last one may be cut off by the file's end."""
        return self._last if block == self.blocks - 1 else self._block_size

    def _must_be_inside(self, index: int, place: int, length: int) -> None:
        if place < MIB or place + length > self._store.size:
            expected = f"{length} bytes inside the file of {self._store.size}"
            self._wrong(index, expected, f"byte {place}", beyond=place + length > self._store.size)

    def _wrong(self, index: int, expected: str, found: str, beyond: bool = False) -> NoReturn:
        raise FormatError("VHDX block allocation table", self.position(index), expected, found, beyond=beyond)
