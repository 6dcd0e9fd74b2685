"""$LogFile: its pages. Two restart pages describe the state of the log; the others hold records, used as a ring.

A page that is not yet full is first written as a copy, to a place after the restart pages, so that a crash cannot tear
the records that it had before. Version 1.1 has two such places, version 2.0 has 32. Of a page and its copies, the
newest one that is not torn is used.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from vmrescue.dataclass import dataclass
from vmrescue.errors import FormatError, UnsupportedError, bytes_text
from vmrescue.ntfs.log import layout
from vmrescue.ntfs.log.errors import LOG, in_log
from vmrescue.ntfs.log.state import restart_pages
from vmrescue.ntfs.structures.fields import align8
from vmrescue.ntfs.structures.fixup import protect, unprotect

if TYPE_CHECKING:
    from vmrescue.ntfs.data import Stream

CACHED_PAGES = 256
# Number of pages before the first page of records, by version: two restart pages, then places for copies.
FIRST_PAGE = {(1, 1): 4, (2, 0): 34}
FIRST_COPY = 2
PAGE_SIZES = (512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)
PAGE_SIZE_2_0 = 4096  # with other sizes the field `TAIL_PLACE` would overlap the fix-ups


@dataclass(frozen=True)
class Page:
    """A page of records that is not torn, fix-ups undone; read from the page itself or from a copy."""

    offset: int  # bytes from the start of the log; for a copy, of the page that it is a copy of
    data: bytes
    newest: int  # LSN of the last record of which it holds a part
    last_end: int | None  # LSN of the last record that ends in it; None if none does
    transfer_place: int  # its number, from 1, among the pages that were written at once


class LogFile:
    """The log, as described by its newest restart page.

    Raises:
        FormatError: there is no valid restart page, or its fields contradict each other.
        UnsupportedError: the version is not 1.1 or 2.0, or there are clients other than NTFS.
    """

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        sound = restart_pages(stream)
        if not sound:
            raise in_log("$LogFile", None, "a sound restart page", "none")
        newest = max(sound, key=lambda page: page.lsn)
        self.position = newest.position
        self.version = newest.version
        self._page = unprotect(
            stream.read_at(newest.position, newest.page_size), "$LogFile restart page", self.position, LOG
        )
        self._parse()
        self._check_sizes()
        self._check_client()
        self.page = lru_cache(CACHED_PAGES)(self._newest)
        self._copies = self._read_copies()

    def _parse(self) -> None:
        if self.version not in FIRST_PAGE:
            version = f"{self.version[0]}.{self.version[1]}"
            raise UnsupportedError(f"$LogFile (restart page at byte {self.position}) is of version {version}")
        self.head: Any = layout.RESTART_PAGE.parse(self._page)
        signature = self.head.signature
        self._expect(
            signature == layout.RESTART_SIGNATURE, 0, f"the signature {bytes_text(layout.RESTART_SIGNATURE)}", signature
        )
        least = self.head.area_offset + layout.RESTART_AREA.sizeof()
        self._expect(least <= layout.SECTOR - 2, 0x18, "an area in the first sector", self.head.area_offset)
        self.area: Any = layout.RESTART_AREA.parse(self._page[self.head.area_offset :])
        start = self.head.area_offset + self.area.clients_offset
        end = start + layout.CLIENT_RECORD.sizeof()
        self._expect(end <= len(self._page), 0x18, "a client inside the page", end)
        self.client: Any = layout.CLIENT_RECORD.parse(self._page[start:])

    def _check_sizes(self) -> None:
        area, page_size = self.area, self.head.page_size
        if page_size != self.head.system_page_size or (self.version[0] == 2 and page_size != PAGE_SIZE_2_0):
            raise UnsupportedError(
                f"$LogFile (restart page at byte {self.position}) has pages of {page_size} bytes "
                f"after restart pages of {self.head.system_page_size}"
            )
        self._expect(page_size in PAGE_SIZES, 0x14, "a power of two from 512 to 65536", page_size)
        self.page_size: int = page_size
        self.first_page = FIRST_PAGE[self.version] * page_size
        size = area.file_size
        sound = size % page_size == 0 and self.first_page + page_size < size <= self.stream.size
        self._expect(sound, self.head.area_offset + 0x18, f"whole pages within {self.stream.size} bytes", size)
        self.size: int = size
        bits = 67 - self.size.bit_length()
        self._expect(area.sequence_bits == bits, self.head.area_offset + 0x10, f"{bits} bits", area.sequence_bits)
        self.place_bits: int = 64 - bits
        least = align8(layout.PAGE_HEADER.size + 2 * (page_size // layout.SECTOR + 1))
        sound = area.data_offset % 8 == 0 and least <= area.data_offset <= page_size // 2
        self._expect(sound, self.head.area_offset + 0x26, f"records from byte {least} on", area.data_offset)
        self.data_offset: int = area.data_offset
        header = area.record_header_size
        self._expect(
            header == layout.RECORD_HEADER.size, self.head.area_offset + 0x24, "record headers of 48 bytes", header
        )

    def _check_client(self) -> None:
        area, client = self.area, self.client
        name = client.name[: client.name_size] if client.name_size <= len(client.name) else b""
        if area.clients != 1 or name != layout.CLIENT_NAME:
            raise UnsupportedError(f"$LogFile (restart page at byte {self.position}) has other clients than NTFS")
        place = self.head.area_offset + area.clients_offset
        ascending = client.oldest_lsn <= client.restart_lsn <= area.current_lsn
        found = (client.oldest_lsn, client.restart_lsn, area.current_lsn)
        self._expect(ascending, place, "LSNs that ascend: oldest, restart, current", found)

    def _expect(self, sound: bool, place: int, expected: str, found: object) -> None:
        if not sound:
            raise in_log("$LogFile restart page", self.position + place, expected, found)

    def offset(self, lsn: int) -> int:
        """Where the record with this LSN begins, in bytes from the start of the log."""
        return (lsn & ((1 << self.place_bits) - 1)) * layout.LSN_UNIT

    def lsn(self, offset: int, sequence: int) -> int:
        """The LSN of a record at this offset, after the log was filled `sequence` times."""
        return sequence << self.place_bits | offset // layout.LSN_UNIT

    def next_page(self, offset: int) -> int:
        """The offset of the page that is written after the one at `offset`."""
        following = offset + self.page_size
        return following if following < self.size else self.first_page

    def _newest(self, offset: int) -> Page | None:
        page = self._read(offset, offset, is_copy=False)
        copy = self._copies.get(offset)
        return copy if copy and (page is None or copy.newest > page.newest) else page

    def _read_copies(self) -> dict[int, Page]:
        copies: dict[int, Page] = {}
        for position in range(FIRST_COPY * self.page_size, self.first_page, self.page_size):
            copy = self._read(position, None, is_copy=True)
            if copy and (copy.offset not in copies or copies[copy.offset].newest < copy.newest):
                copies[copy.offset] = copy
        return copies

    def _read(self, position: int, offset: int | None, *, is_copy: bool) -> Page | None:
        """The page at `position`; None if there is no page or it is torn. `offset` is that of the page itself."""
        raw = self.stream.read_at(position, self.page_size)
        if raw[:4] != layout.RECORD_SIGNATURE:
            return None
        try:
            data = bytes(unprotect(raw, "$LogFile page", position, LOG))
        except FormatError:
            return None
        _, _, _, newest, flags, _, place, _, last_end = layout.PAGE_HEADER.unpack_from(data)
        if is_copy and self.version[0] < 2:
            offset, newest = newest, last_end
        elif is_copy:
            (offset,) = layout.TAIL_PLACE.unpack_from(data, layout.TAIL_PLACE_OFFSET)
        if offset is None or offset % self.page_size or not self.first_page <= offset < self.size:
            return None
        return Page(offset, data, newest, last_end if flags & layout.PAGE_HAS_END else None, place)

    def closing_page(self, last_lsn: int, last_length: int) -> bytes:
        """A restart page, ready to be written, that says that the log is closed and what its last record was.

        It has version 1.1, which every NTFS reads. Later records get higher LSNs than all those in this volume's file
        records; with an emptied log they would not.
        """
        page = bytearray(self._page)
        struct.pack_into("<HH", page, 0x1A, 1, 1)  # minor, major
        area = self.head.area_offset
        closed = {
            **self.area,
            "current_lsn": last_lsn,
            "free_client": 0,
            "used_client": layout.NO_CLIENT,
            "flags": layout.CLEANLY_CLOSED,
            "last_data_length": last_length,
        }
        page[area : area + layout.RESTART_AREA.sizeof() - 4] = layout.RESTART_AREA.build(closed)[:-4]
        struct.pack_into("<QQ", page, area + self.area.clients_offset, last_lsn, last_lsn)
        return protect(page)
