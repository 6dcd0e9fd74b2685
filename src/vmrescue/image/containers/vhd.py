"""Virtual hard disks (VHD 1.0), read and written: fixed, dynamic, differencing.

Layout of the file (Microsoft, "Virtual Hard Disk Image Format Specification", version 1.0):

    fixed                     data | footer
    dynamic, differencing     copy of the footer | dynamic header | block allocation table | blocks | footer

The table says at which sector of the file each block begins. A block is a sector bitmap, then data. Writing to a block
that the file does not have adds it where the footer was, and the footer moves behind it.
"""

from __future__ import annotations

import sys
from array import array
from itertools import pairwise
from typing import TYPE_CHECKING

from vmrescue.device import BlockDevice, check_range, next_data, prefetch, refusal_of
from vmrescue.errors import FormatError, RefusedError, UnsupportedError
from vmrescue.image.containers import vhd_layout
from vmrescue.image.containers.blocks import BlockedDisk
from vmrescue.image.containers.vhd_bitmap import bit_runs, bitmap_size, with_bits
from vmrescue.image.containers.vhd_layout import HEADER_SIZE, NO_BLOCK, Header
from vmrescue.image.risks import SAVED_STATE, Risk
from vmrescue.image.transports.file import SECTOR, ImageStore, check_growth
from vmrescue.image.virtual_disk import Container, Facts, SecondOpinion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmrescue.device import Range

DYNAMIC_LIMIT = 2040 << 30  # bytes; the format's limit
NO_FOOTER = (
    "the VHD's footer at its end is damaged, and libvhdi, which has to confirm a repair, does not go by the copy: mend "
    "the container first, for example with `qemu-img convert -f vpc -O vpc -o subformat=fixed,force_size`, or make a "
    "copy (repair --copy-to)"
)
MERGE = "a differencing VHD has its parent's size: merge it, or expand a copy of it"


class FoundFooter:
    """The footer of a file, its position, and what was wrong with the copies of it.

    A dynamic disk has two copies; the valid one is used. A footer with only a wrong checksum is used, with a warning,
    if an equal copy or the file's size confirms it.

    `position` is None if only the copy at byte 0 is valid.
    """

    def __init__(self, store: BlockDevice) -> None:
        length = SECTOR - 1 if store.size % SECTOR == SECTOR - 1 else SECTOR  # very old files lack the last byte
        check_range("VHD file", 0, length, store.size)
        end = store.size - length
        last = store.read_at(end, length).ljust(SECTOR, b"\0")
        copy = store.read_at(0, SECTOR) if store.size >= 2 * SECTOR else b""
        self.warnings: list[str] = []
        self.risks: list[Risk] = []
        self.position: int | None = end
        fault = _fault(last, end)
        if fault is None:
            self.footer = vhd_layout.read_footer(last, end)
        elif copy.startswith(vhd_layout.FOOTER_COOKIE) and _fault(copy, 0) is None:
            self.warnings.append(f"{fault}; its copy at byte 0 is used")
            self.position = None
            self.footer = vhd_layout.read_footer(copy, 0)
        else:
            self.footer = vhd_layout.read_footer(last, end)
            fits = self.footer.disk_type == vhd_layout.FIXED and self.footer.current_size == end
            if last != copy and not fits:
                raise fault
            self.warnings.append(f"{fault}; everything else in it is sound, so it is used")
        copied = self.footer.disk_type != vhd_layout.FIXED and _fault(copy, 0) is None
        if self.footer.saved_state or (copied and vhd_layout.read_footer(copy, 0).saved_state):
            where = "footer" if self.footer.saved_state else "copy of its footer"
            found = f"the VHD's {where} says that its virtual machine was saved, not shut down"
            self.warnings.append(found)
            self.risks.append(Risk(SAVED_STATE, f"{found}; the memory that was saved holds parts of this disk"))


def _fault(raw: bytes, position: int) -> FormatError | None:
    """Why a footer cannot be trusted; None if it can."""
    try:
        vhd_layout.read_footer(raw, position)
    except FormatError as error:
        return error
    return vhd_layout.checksum_fault(raw, position)


def _facts(name: str, store: ImageStore, found: FoundFooter) -> Facts:
    fixed = found.footer.disk_type == vhd_layout.FIXED
    return Facts(
        name,
        unique_id=found.footer.unique_id,
        notes=tuple(found.warnings),
        risks=tuple(found.risks),
        refusal=refusal_of(store),
        flat=fixed,
        second_opinion=SecondOpinion.LIBVHDI,
        why_not_confirmed=NO_FOOTER if found.position is None else None,
        why_not_longer=MERGE if found.footer.disk_type == vhd_layout.DIFFERENCING else None,
        longest=None if fixed else DYNAMIC_LIMIT,
    )


class VhdFixed(Container):
    """A fixed VHD: the bytes of the disk, then a footer."""

    sector_size = SECTOR

    def __init__(self, store: ImageStore, found: FoundFooter) -> None:
        super().__init__(_facts("fixed VHD", store, found), store)
        self.store = store
        self.footer = found.footer
        self.size = self.footer.current_size
        at = found.position
        if at is None or self.size > at:
            if at is None:
                raise FormatError(
                    "VHD footer", 0, "that of a fixed VHD at the file's end, not at its start", beyond=True
                )
            expected = f"a disk of at most the {at} bytes that lie before it"
            raise FormatError("VHD footer", at + 48, expected, self.size, beyond=True)

    def read_at(self, offset: int, length: int) -> bytes:
        check_range(self.format, offset, length, self.size)
        return self.store.read_at(offset, length)

    def next_data(self, offset: int) -> int:
        return min(next_data(self.store, offset), self.size)

    def prefetch(self, ranges: Iterable[Range]) -> bool:
        return prefetch(self.store, ranges)

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        check_range(self.format, offset, len(data), self.size)
        self.store.write_at(offset, data)

    def resize(self, size: int) -> None:
        """Makes the disk `size` bytes long; the new bytes are zeros. Raises RefusedError if it cannot grow so.

        The format's limit comes from the block allocation table. Fixed disks have none, and Azure accepts larger ones.
        """
        check_growth(self.size, size)
        footer_size = self.store.size - self.size
        if footer_size > SECTOR:
            raise RefusedError(f"{footer_size - SECTOR} bytes lie between this VHD's disk and its footer: not resized")
        raw = vhd_layout.resized_footer(self.footer.raw, size)
        self.store.resize(size + SECTOR)
        self.store.write_at(self.size, bytes(footer_size))
        self.store.write_at(size, raw)
        self.footer = vhd_layout.read_footer(raw, size)
        self.size = size

    def flush(self) -> None:
        self.store.flush()

    def close(self) -> None:
        self.store.close()


class VhdDynamic(BlockedDisk):
    """A dynamic VHD or, with a `parent`, a differencing VHD, which shows the parent's bytes where it has none."""

    def __init__(
        self, store: ImageStore, found: FoundFooter, header: Header, parent: BlockDevice | None = None
    ) -> None:
        facts = _facts("differencing VHD" if parent else "dynamic VHD", store, found)
        super().__init__(facts, store, found.footer.current_size, SECTOR, header.block_size, parent)
        self.footer = found.footer
        self.header = header
        self._bitmap_size = bitmap_size(header.block_size)
        self._stride = self._bitmap_size + header.block_size  # bytes of a block in the file, with its bitmap
        # Where the next block is added. Bytes between the last block and the footer are not overwritten.
        self._end = -(-store.size // SECTOR) * SECTOR if found.position is None else found.position
        self._table = self._read_table()

    def _read_table(self) -> array[int]:
        count = -(-self.size // self.block_size)
        check_range("VHD block allocation table", self.header.table_offset, 4 * count, self.store.size)
        table = array("I", self.store.read_at(self.header.table_offset, 4 * count))
        if sys.byteorder == "little":
            table.byteswap()
        self._check_table(table)
        return table

    def _check_table(self, table: array[int]) -> None:
        """Raises FormatError unless all blocks are inside the file, after the header, and overlap nothing."""
        used = sorted(entry for entry in table if entry != NO_BLOCK)
        if not used:
            return
        for entry in (used[0], used[-1]):
            block = table.index(entry)
            needed = min(self.block_size, self.size - block * self.block_size) + self._bitmap_size
            if entry * SECTOR < SECTOR + HEADER_SIZE or entry * SECTOR + needed > self._end:
                expected = f"{needed} bytes of block {block} inside the file, before byte {self._end}"
                self._wrong_entry(table, entry, expected, beyond=entry * SECTOR + needed > self._end)
        sectors = self._stride // SECTOR
        for entry, following in pairwise(used):
            if following - entry < sectors:
                self._wrong_entry(table, entry, f"a block apart from the one in sector {following}")
        table_end = self.header.table_offset + 4 * len(table)
        for entry in used:
            if entry * SECTOR < table_end and self.header.table_offset < entry * SECTOR + self._stride:
                self._wrong_entry(table, entry, "a block apart from the table")

    def _wrong_entry(self, table: array[int], entry: int, expected: str, beyond: bool = False) -> None:
        position = self.header.table_offset + 4 * table.index(entry)
        raise FormatError("VHD block allocation table", position, expected, f"sector {entry}", beyond=beyond)

    def _read_piece(self, offset: int, length: int) -> Iterator[bytes]:
        block = offset // self.block_size
        if self._table[block] == NO_BLOCK:
            yield self._below(offset, length)
            return
        at = self._table[block] * SECTOR
        bitmap = self.store.read_at(at, self._bitmap_size)
        runs = bit_runs(bitmap, *self._sectors_of(offset, length))
        yield from self._read_sectors(at + self._bitmap_size, offset, length, runs)

    def next_data(self, offset: int) -> int:
        """Skips what is in no block, here or in a parent."""
        block = offset // self.block_size
        while block < len(self._table) and self._table[block] == NO_BLOCK:
            block += 1
        own = min(max(offset, block * self.block_size), self.size)
        if self.parent is None or offset >= self.parent.size:
            return own
        return min(own, next_data(self.parent, offset))

    def stored(self, offset: int, length: int) -> Iterator[tuple[int, int]]:
        """The parts of the file that store a range of the disk, with its blocks' bitmaps."""
        check_range(self.format, offset, length, self.size)
        for start, extent in self._pieces(offset, length):
            block, within = divmod(start, self.block_size)
            if self._table[block] != NO_BLOCK:
                at = self._table[block] * SECTOR
                yield at, self._bitmap_size
                yield at + self._bitmap_size + within, extent

    @property
    def own_ranges(self) -> list[tuple[int, int]]:
        """(offset, length) of the structures that map the disk to the file: the headers and the table."""
        header = self.footer.data_offset
        return [(0, SECTOR), (header, HEADER_SIZE), (self.header.table_offset, 4 * len(self._table))]

    def _write_piece(self, offset: int, data: memoryview) -> None:
        block = offset // self.block_size
        if self._table[block] == NO_BLOCK:
            self._allocate(block)
        start, whole = self._in_groups(offset, data)
        at = self._table[block] * SECTOR
        bitmap = self.store.read_at(at, self._bitmap_size)
        marked = with_bits(bitmap, start // SECTOR, len(whole) // SECTOR)
        self.store.write_at(at + self._bitmap_size + start, whole)
        if marked != bitmap:
            self.store.write_at(at, marked)

    def _allocate(self, block: int) -> None:
        at = self._end
        if at // SECTOR >= NO_BLOCK:
            raise UnsupportedError("the VHD file has no room for another block: it would pass 2 TiB")
        self._move_footer(at + self._stride)
        self.store.write_at(at, bytes(self._bitmap_size))  # over the old footer; the bytes after it are new, and zeros
        self.store.write_at(self.header.table_offset + 4 * block, (at // SECTOR).to_bytes(4, "big"))
        self._table[block] = at // SECTOR

    def _move_footer(self, position: int) -> None:
        self.store.resize(position + SECTOR)
        self.store.write_at(position, self.footer.raw)
        self._end = position

    def resize(self, size: int) -> None:
        """Makes the disk `size` bytes long; the new bytes are zeros. Raises RefusedError if it cannot grow so."""
        check_growth(self.size, size, vhd_layout.BIGGEST)
        if self.parent is not None:
            raise RefusedError("a differencing VHD keeps its parent's size")
        entries = -(-size // self.block_size)
        if entries > self._table_room():
            self._move_table(entries)
        more = array("I", [NO_BLOCK]) * (entries - len(self._table))
        self.store.write_at(self.header.table_offset + 4 * len(self._table), more.tobytes())
        self._table.extend(more)
        raw = vhd_layout.resized_footer(self.footer.raw, size)
        self.footer = vhd_layout.read_footer(raw, self._end)
        self.store.write_at(0, raw)
        self._move_footer(self._end)
        self.size = size

    def _table_room(self) -> int:
        """The number of entries for which the table has room in its place."""
        table = self.header.table_offset
        behind = [self.footer.data_offset, self._end, *(entry * SECTOR for entry in self._table if entry != NO_BLOCK)]
        room = min(position for position in behind if position > table) - table
        return min(room // 4, self.header.max_table_entries)

    def _move_table(self, entries: int) -> None:
        """Moves the table, with room for `entries`, to where the footer is; the footer moves behind it."""
        at = self._end
        content = array("I", self._table)
        if sys.byteorder == "little":
            content.byteswap()
        length = -(-4 * entries // SECTOR) * SECTOR
        self._move_footer(at + length)
        self.store.write_at(at, content.tobytes().ljust(length, b"\xff"))
        raw = vhd_layout.moved_header(self.header.raw, at, entries)
        self.store.write_at(self.footer.data_offset, raw)
        self.header = vhd_layout.read_header(raw, self.footer.data_offset, self.size)


def read_dynamic_header(store: BlockDevice, found: FoundFooter) -> Header:
    """The dynamic header that a footer points to. A wrong checksum is a warning. Raises FormatError."""
    position = found.footer.data_offset
    check_range("VHD dynamic header", position, HEADER_SIZE, store.size)
    raw = store.read_at(position, HEADER_SIZE)
    header = vhd_layout.read_header(raw, position, found.footer.current_size)
    fault = vhd_layout.checksum_fault(raw, position)
    if fault is not None:  # there is no copy, but all its numbers are checked against the file
        found.warnings.append(f"{fault}; everything else in it is sound, so it is used")
    return header
