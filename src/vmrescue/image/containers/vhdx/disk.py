"""The disk in a VHDX: fixed, dynamic, or differencing over a parent.

Blocks that the file has are written in place. A new block is put at the end of the file, in whole MiB. `commit` says in
which order all this reaches the file, and what of it goes through the log.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from vmrescue.device import check_range, next_data, refusal_of
from vmrescue.errors import FormatError, RefusedError
from vmrescue.image.containers.blocks import BlockedDisk
from vmrescue.image.containers.vhdx.bitmap import bit_runs, with_bits
from vmrescue.image.containers.vhdx.commit import (
    LEAST_LOG,
    changed_metadata,
    is_usable,
    last_headers,
    log_needed,
    new_session,
    steps_of,
)
from vmrescue.image.containers.vhdx.header import read_current
from vmrescue.image.containers.vhdx.layout import (
    BAT_REGION,
    BIGGEST,
    BITMAP_BLOCK,
    ENTRY_SIZE,
    FULLY_PRESENT,
    HEADERS_AT,
    MIB,
    NOT_PRESENT,
    PARTIALLY_PRESENT,
    REGION_TABLE_SIZE,
    REGION_TABLES_AT,
    SECTOR,
    SIZE,
    Region,
)
from vmrescue.image.containers.vhdx.regions import build_regions
from vmrescue.image.transports.file import check_growth
from vmrescue.image.virtual_disk import Facts, SecondOpinion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from vmrescue.device import BlockDevice
    from vmrescue.image.commit_step import Step
    from vmrescue.image.containers.vhdx.commit import Last, Session
    from vmrescue.image.containers.vhdx.file import VhdxFile
    from vmrescue.image.transports.file import ImageStore

MERGE = "a differencing VHDX has its parent's size: merge it, or expand a copy of it"
PRESENT = (FULLY_PRESENT, PARTIALLY_PRESENT)


class Vhdx(BlockedDisk):
    """The disk in a VHDX file that was read; `parent` is the disk below a differencing one."""

    def __init__(self, file: VhdxFile, parent: BlockDevice | None = None) -> None:
        kind = "differencing" if parent else "fixed" if file.metadata.leave_allocated else "dynamic"
        facts = Facts(
            f"{kind} VHDX",
            unique_id=file.metadata.disk_id,
            notes=file.notes,
            refusal=refusal_of(file.store),
            second_opinion=SecondOpinion.LIBVHDI,
            why_not_longer=MERGE if parent else None,
            longest=BIGGEST,
        )
        self.metadata = file.metadata
        sizes = file.metadata.size, file.metadata.sector_size, file.metadata.block_size
        super().__init__(facts, file.store, *sizes, parent)
        self._replayed = file.replayed
        self._current = file.current
        self._session: Session | None = None
        self._regions = file.regions
        self._others = file.others
        self._bat = file.bat
        self._sectors: set[int] = set()  # numbers of the file's sectors of metadata that were written
        self._is_changed = False

    @property
    def data_write_guid(self) -> bytes:
        """The id of the last write to the disk's data, which its children store."""
        return self._current.header.data_write_guid

    @property
    def _seen(self) -> ImageStore:
        return self._replayed or self.store

    # -- reading

    def _read_piece(self, offset: int, length: int) -> Iterator[bytes]:
        block, start = divmod(offset, self.block_size)
        state, place = self._bat.block(block)
        if state == FULLY_PRESENT:
            yield self._seen.read_at(place + start, length)
        elif state == PARTIALLY_PRESENT:
            runs = bit_runs(self._bits(block), *self._sectors_of(offset, length))
            yield from self._read_sectors(place, offset, length, runs)
        elif state == NOT_PRESENT:
            yield self._below(offset, length)
        else:  # undefined, zero, unmapped: not the parent's either ([MS-VHDX] 2.5.1.1)
            yield bytes(length)

    def next_data(self, offset: int) -> int:
        """Skips what is in no block, here or in a parent, and holes of the file."""
        while offset < self.size:
            block, start = divmod(offset, self.block_size)
            state, place = self._bat.block(block)
            end = min((block + 1) * self.block_size, self.size)
            if state == PARTIALLY_PRESENT:
                return offset
            if state == FULLY_PRESENT:
                there = offset + next_data(self._seen, place + start) - (place + start)
                if there < end:
                    return there
            elif state == NOT_PRESENT:
                end = min(max(end, self._bat.next_used(block) * self.block_size), self.size)
                if self.parent is not None and offset < self.parent.size:
                    there = next_data(self.parent, offset)
                    if there < min(end, self.parent.size):
                        return there
            offset = end
        return self.size

    def stored(self, offset: int, length: int) -> Iterator[tuple[int, int]]:
        """The parts of the file that store a range of the disk, with the bits of blocks that are partly there."""
        check_range(self.format, offset, length, self.size)
        for start, extent in self._pieces(offset, length):
            block, within = divmod(start, self.block_size)
            state, place = self._bat.block(block)
            if state in PRESENT:
                yield place + within, extent
            if state == PARTIALLY_PRESENT:
                yield self._bits_at(block), self._bits_size

    @property
    def own_ranges(self) -> list[tuple[int, int]]:
        """(offset, length) of the structures that map the disk to the file."""
        metadata = self._regions.metadata
        return [
            *((at, SECTOR) for at in HEADERS_AT),
            *((at, REGION_TABLE_SIZE) for at in REGION_TABLES_AT),
            (metadata.offset, metadata.length),
            (self._bat.offset, self._bat.entries * ENTRY_SIZE),
        ]

    # -- writing

    def _write_piece(self, offset: int, data: memoryview) -> None:
        self._begin()
        block, start = divmod(offset, self.block_size)
        state, place = self._bat.block(block)
        if state not in PRESENT:
            is_part = state == NOT_PRESENT and self.parent is not None
            state, place = self._allocate(block, PARTIALLY_PRESENT if is_part else FULLY_PRESENT)
        if state == FULLY_PRESENT:
            self.store.write_at(place + start, data)
            return
        start, whole = self._in_groups(offset, data)
        self.store.write_at(place + start, whole)
        bits = self._bits(block)
        marked = with_bits(bits, start // self.sector_size, len(whole) // self.sector_size)
        if marked != bits:
            self._write_metadata(self._bits_at(block), marked)

    def _allocate(self, block: int, state: int) -> tuple[int, int]:
        """Adds a block at the end of the file: (state, place)."""
        if state == PARTIALLY_PRESENT:
            if self._bat.bitmap(block) is None:
                self._set(self._bat.bitmap_index(block), FULLY_PRESENT, self._more(BITMAP_BLOCK))
            elif any(bits := self._bits(block)):
                self._write_metadata(self._bits_at(block), bytes(len(bits)))
        place = self._more(self.block_size)
        self._set(self._bat.index(block), state, place)
        return state, place

    def _more(self, length: int) -> int:
        """Makes the file longer by `length` bytes, which are zeros; returns where they begin, a whole MiB."""
        place = -(-self.store.size // MIB) * MIB
        self.store.resize(place + length)
        return place

    def _set(self, index: int, state: int, place: int) -> None:
        self._write_metadata(*self._bat.set(index, state, place))

    def _write_metadata(self, offset: int, data: bytes) -> None:
        self.store.write_at(offset, data)
        self._sectors.update(range(offset // SECTOR, -(-(offset + len(data)) // SECTOR)))

    def _begin(self) -> None:
        """What is due before the first change: the log replayed in the file, whole MiB, and new headers."""
        if self._is_changed:
            return
        self._is_changed = True
        if self._replayed is not None:
            self.store.resize(self._replayed.size)
            for offset, length in self._replayed.changed_ranges():
                self._write_metadata(offset, self._replayed.read_at(offset, length))
            self._replayed.close()
            self._replayed = None
            self._bat.moved(self.store, self._bat.offset)
        self.store.resize(-(-self.store.size // MIB) * MIB)
        if self._session is None:
            header = self._current.header
            usable = is_usable(header, self.store.size)
            log = (header.log_offset, header.log_length) if usable else self._new_log(LEAST_LOG)
            self._session = new_session(*log)
        self._write_headers(self._session)

    def _new_log(self, length: int) -> tuple[int, int]:
        """Adds a log at the end of the file: (offset, length)."""
        place = self._more(length)
        self._others = [*self._others, (place, place + length, "the log")]
        return place, length

    def _write_headers(self, session: Session) -> Last:
        last = last_headers(self._current, session)
        for at, data in last.headers.items():
            self.store.write_at(at, data)
        return last

    def commit_steps(self, image: BlockDevice) -> Sequence[Step]:
        """The steps in which the changes since the last commit reach the file; see `commit`."""
        if not self._is_changed or self._session is None:
            return ()
        self._current = read_current(image)  # that of an earlier commit of the same session, if there was one
        metadata = changed_metadata(image, self.store, self._sectors)
        if (needed := log_needed(len(metadata))) > self._session.log_length:
            place, length = self._new_log(needed)
            self._session = replace(self._session, log_offset=place, log_length=length)
        last = self._write_headers(self._session)
        steps = steps_of(image, self.store.size, metadata, self._session, last)
        self._is_changed = False
        self._sectors.clear()
        return steps

    # -- growing

    def resize(self, size: int) -> None:
        """Makes the disk `size` bytes long; the new bytes are zeros. Raises RefusedError if it cannot grow so."""
        check_growth(self.size, size, BIGGEST)
        if size % self.sector_size:
            raise RefusedError(f"a disk with sectors of {self.sector_size} bytes can't be made {size} bytes long")
        if self.parent is not None:
            raise RefusedError(MERGE)
        if size == self.size:
            return
        self._begin()
        longer = replace(self.metadata, size=size)
        self._clear_last_block(min(size, self.metadata.blocks * self.block_size))
        if longer.entries * ENTRY_SIZE > self._regions.bat.length:
            self._move_table(longer.entries)
        else:
            start, end = (self._bat.position(each) for each in (self.metadata.entries, longer.entries))
            clear(self.store, start, end - start, self._write_metadata)
        self._write_metadata(self.metadata.size_at, SIZE.pack(size))
        first, self.metadata, self.size = self.metadata.blocks, longer, size
        self._bat.adjust(longer)
        if longer.leave_allocated:
            for block in range(first, longer.blocks):
                self._allocate(block, FULLY_PRESENT)

    def _clear_last_block(self, end: int) -> None:
        """Zeros what the last block has behind the disk's old end, to byte `end` of the disk."""
        state, place = self._bat.block(self.metadata.blocks - 1)
        within = (self.size - 1) % self.block_size + 1
        more = end - self.size
        if state != FULLY_PRESENT or not more:
            return
        if place + self.block_size > self.store.size:  # the file was cut off where the disk ends
            self.store.resize(-(-(place + self.block_size) // MIB) * MIB)
        self._bat.must_be_apart(place, place + self.block_size, self._others)
        clear(self.store, place + within, more, self.store.write_at)

    def _move_table(self, entries: int) -> None:
        """Moves the block allocation table to the end of the file, with room for `entries`."""
        old = self._bat.entries * ENTRY_SIZE
        length = -(-entries * ENTRY_SIZE // MIB) * MIB
        place = self._more(length)
        at = 0
        while at < old and (at := next_data(self.store, self._bat.offset + at) - self._bat.offset) < old:
            piece = self.store.read_at(self._bat.offset + at, min(MIB, old - at))
            if any(piece):
                self.store.write_at(place + at, piece)
            at += len(piece)
        moved = Region(BAT_REGION, place, length, 1)
        regions = tuple(moved if each.kind == BAT_REGION else each for each in self._regions.all)
        for table in REGION_TABLES_AT:
            self._write_metadata(table, build_regions(regions))
        self._regions = replace(self._regions, all=regions)
        self._bat.moved(self.store, place)

    # -- sector bitmaps

    @property
    def _bits_size(self) -> int:
        """Bytes of the bits of a block."""
        return self.block_size // self.sector_size // 8

    def _bits_at(self, block: int) -> int:
        """Where in the file the bits of a block are."""
        bitmap = self._bat.bitmap(block)
        if bitmap is None:
            position = self._bat.position(self._bat.bitmap_index(block))
            expected = "a sector bitmap, for blocks that are partly there"
            raise FormatError("VHDX block allocation table", position, expected, "none")
        return bitmap + block % self.metadata.blocks_of_chunk * self._bits_size

    def _bits(self, block: int) -> bytes:
        return self._seen.read_at(self._bits_at(block), self._bits_size)

    def close(self) -> None:
        if self._replayed is not None:
            self._replayed.close()
        super().close()


def clear(store: ImageStore, offset: int, length: int, write: Callable[[int, bytes], None]) -> None:
    """Zeros a range of a file, but writes only where it is not zero."""
    at, end = offset, offset + length
    while at < end and (at := next_data(store, at)) < end:
        count = min(MIB, end - at)
        if any(store.read_at(at, count)):
            write(at, bytes(count))
        at += count
