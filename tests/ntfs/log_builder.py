"""Builds a $LogFile as NTFS would have left it, byte by byte, from the public description of the format.

It uses no layouts of the program: structures are declared again, so that a mistake in the program's layouts shows.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

PAGE = 4096
DATA = 0x40  # offset of the first record in a page
HEADER = 0x30  # bytes of a record's header
FIRST_PAGE = {(1, 1): 4, (2, 0): 34}
IN_USE = 0xFFFFFFFF
NO_CLIENT = 0xFFFF

NOTHING, COMPENSATION, INITIALIZE, DEALLOCATE, WRITE_END, CREATE, DELETE, RESIDENT = range(8)
NON_RESIDENT, PAIRS, DELETE_CLUSTERS, SIZES, ADD_ROOT, DELETE_ROOT, ADD_BLOCK, DELETE_BLOCK = range(8, 16)
END_OF_BLOCK, ROOT_VCN, BLOCK_VCN, ROOT_NAME, BLOCK_NAME, SET_BITS, CLEAR_BITS, HOT_FIX = range(16, 24)
END_ACTION, PREPARE, COMMIT, FORGET, OPEN, ATTRIBUTES_DUMP, NAMES_DUMP, PAGES_DUMP, TRANSACTIONS_DUMP = range(24, 33)

ON_RECORD, ON_BLOCK = 2, 8  # flags of an update: on a file record, on an index block
CHECKPOINT_TRANSACTION = 0x40
FIRST_ATTRIBUTE, ATTRIBUTE_SIZE = 0x18, 0x28


@dataclass
class Place:
    """A page of records."""

    data: bytearray
    newest: int = 0
    last_end: int = 0
    next_offset: int = 0
    transfer: tuple[int, int] = (1, 1)  # number of pages in the transfer, and this page's number


@dataclass
class Chain:
    """The last record of a transaction."""

    key: int
    last: int = 0


@dataclass
class Log:
    """A log under construction.

    Args:
        size: bytes of the file.
        start: the page of the first record, counted from the first page of records.
        round: how often the file was filled; at least 1.
    """

    size: int
    version: tuple[int, int] = (1, 1)
    start: int = 0
    round: int = 2
    old_tables: bool = False  # the form of Windows before 10
    pages: dict[int, Place] = field(default_factory=dict)
    attributes: list[tuple[int, int]] = field(default_factory=list)  # type, record
    oldest: int = 0
    restart: int = 0
    last: int = 0
    last_length: int = 0

    def __post_init__(self) -> None:
        self.size -= self.size % PAGE
        self.bits = self.size.bit_length() - 3
        self.first_page = FIRST_PAGE[self.version] * PAGE
        self.at = self.first_page + self.start * PAGE
        self.within = DATA
        self._page()

    def _page(self) -> Place:
        return self.pages.setdefault(self.at, Place(bytearray(PAGE)))

    def _turn(self) -> None:
        self.at += PAGE
        if self.at >= self.size:
            self.at = self.first_page
            self.round += 1
        self.within = DATA
        self.pages[self.at] = Place(bytearray(PAGE))

    def append(self, data: bytes, kind: int = 1, transaction: int = 0, previous: int = 0, undo_next: int = 0) -> int:
        """Appends a record; returns its LSN."""
        if PAGE - self.within < HEADER:
            self._turn()
        data = data.ljust(len(data) + 7 & ~7, b"\0")
        lsn = self.round << self.bits | (self.at + self.within) // 8
        spans = self.within + HEADER + len(data) > PAGE
        rest = (
            struct.pack("<QQQIHHIIH6x", lsn, previous, undo_next, len(data), 0, 0, kind, transaction, int(spans)) + data
        )
        while rest:
            if self.within == PAGE:
                self._turn()
            page = self._page()
            part = rest[: PAGE - self.within]
            page.data[self.within : self.within + len(part)] = part
            page.newest = lsn
            self.within += len(part)
            rest = rest[len(part) :]
        page.last_end = lsn
        page.next_offset = self.within
        self.last, self.last_length = lsn, len(data)
        return lsn

    def update(
        self,
        chain: Chain,
        redo: tuple[int, bytes],
        undo: tuple[int, bytes],
        *,
        attribute: int = FIRST_ATTRIBUTE,
        lcns: tuple[int, ...] = (),
        vcn: int = 0,
        block: int = 0,
        record_offset: int = 0,
        attribute_offset: int = 0,
        flags: int = 0,
        undo_next: int | None = None,
        unlogged: int = 0,
    ) -> int:
        """Appends a change of a transaction, with its undo; returns its LSN.

        Args:
            undo_next: by default the transaction's last record.
            unlogged: bytes that the record says were written, without having them.
        """
        start = 0x20 + 8 * max(1, len(lcns))
        redo_data, undo_data = redo[1], undo[1]
        undo_start = start + (len(redo_data) + 7 & ~7)
        if redo_data == undo_data:
            undo_start = start
        head = struct.pack("<HH", redo[0], undo[0])
        head += struct.pack(
            "<HHHHHH", start, unlogged or len(redo_data), undo_start, len(undo_data), attribute, len(lcns)
        )
        head += struct.pack("<HHHHQ", record_offset, attribute_offset, block, flags, vcn)
        head += struct.pack(f"<{len(lcns)}Q", *lcns)
        data = head.ljust(start, b"\0") + redo_data
        if undo_data != redo_data:
            data = data.ljust(undo_start, b"\0") + undo_data
        before = chain.last if undo_next is None else undo_next
        chain.last = self.append(data, 1, chain.key, chain.last, before)
        return chain.last

    def forget(self, chain: Chain) -> int:
        """Commits a transaction and forgets it."""
        return self.update(chain, (FORGET, b""), (COMPENSATION, b""), flags=ON_RECORD, undo_next=0)

    def fill(self, pages: int) -> None:
        """Appends transactions without changes until `pages` more pages are filled."""
        chain = Chain(0x18)
        turned = self.at
        while pages:
            self.update(chain, (NOTHING, b""), (NOTHING, b""), flags=ON_RECORD)
            self.forget(chain)
            chain.last = 0
            if turned != self.at:
                turned, pages = self.at, pages - 1

    def key(self, kind: int, record: int) -> int:
        """Opens an attribute before the checkpoint; returns its key."""
        if (kind, record) not in self.attributes:
            self.attributes.append((kind, record))
        step = 0x2C if self.old_tables else ATTRIBUTE_SIZE
        return FIRST_ATTRIBUTE + step * self.attributes.index((kind, record))

    def open(self, kind: int, record: int) -> None:
        """Opens an attribute after the checkpoint."""
        entry = struct.pack("<IIIIQQQ", IN_USE, PAGE if kind == 0xA0 else 0, kind, 0, record | 1 << 48, 0, 0)
        name = "$I30".encode("utf-16-le") if kind == 0xA0 else b""
        chain = Chain(CHECKPOINT_TRANSACTION)
        self.update(chain, (OPEN, entry), (NOTHING, name), attribute=self.key(kind, record))

    def checkpoint(
        self,
        dirty: tuple[tuple[int, int, tuple[int, ...], int], ...] = (),
        transactions: tuple[tuple[int, int, int], ...] = (),
        start: int | None = None,
    ) -> int:
        """Appends a checkpoint.

        Args:
            dirty: (attribute, VCN, LCNs, oldest LSN).
            transactions: (key, first LSN, LSN to undo next).
            start: LSN of the record after which the analysis begins; by default a new record.
        """
        chain = Chain(CHECKPOINT_TRANSACTION)
        start = start or self.update(chain, (NOTHING, b""), (NOTHING, b""))
        lsns, sizes = [], []
        for operation, table in (
            (ATTRIBUTES_DUMP, self._attribute_table()),
            (NAMES_DUMP, b""),
            (PAGES_DUMP, self._page_table(dirty)),
            (TRANSACTIONS_DUMP, self._transaction_table(transactions)),
        ):
            lsns.append(self.update(chain, (operation, table), (NOTHING, b"")) if table else 0)
            sizes.append(len(table))
        version = 0 if self.old_tables else 1
        data = struct.pack("<IIQQQQQIIII", version, 0, start, *lsns, *sizes)
        self.restart = self.append(data.ljust(0x70, b"\0"), kind=2)
        self.oldest = self.oldest or start
        return start

    def _attribute_table(self) -> bytes:
        entries = []
        for kind, record in self.attributes:
            reference = record | 1 << 48
            block = PAGE if kind == 0xA0 else 0
            if self.old_tables:
                entries.append(struct.pack("<IIQQBBHIIII", IN_USE, 0, reference, 0, 1, 0, 0, kind, 0, 0, block))
            else:
                entries.append(struct.pack("<IIIIQQQ", IN_USE, block, kind, 0, reference, 0, 0))
        return _table(entries)

    def _page_table(self, dirty: tuple[tuple[int, int, tuple[int, ...], int], ...]) -> bytes:
        entries = []
        for attribute, vcn, lcns, oldest in dirty:
            head = struct.pack("<IIII", IN_USE, attribute, PAGE, len(lcns)) + bytes(4 if self.old_tables else 0)
            entries.append(head + struct.pack(f"<QQ{len(lcns)}Q", vcn, oldest, *lcns))
        return _table(entries)

    def _transaction_table(self, transactions: tuple[tuple[int, int, int], ...]) -> bytes:
        count = max([(key - 0x18) // 0x28 + 1 for key, _, _ in transactions], default=0)
        entries = [bytes(0x28)] * count
        for key, first, undo_next in transactions:
            entry = struct.pack("<IB3xQQQII", IN_USE, 1, first, undo_next, undo_next, 1, 0)
            entries[(key - 0x18) // 0x28] = entry
        return _table(entries)

    # --- on disk ---

    def to_bytes(self, copied: bool = False, flags: int = 0, current: int | None = None) -> bytes:
        """The whole file.

        Args:
            copied: the last page exists only as a copy; its own place has the older page.
            current: the last LSN according to the restart pages.
        """
        file = bytearray(b"\xff" * self.size)
        for offset, page in self.pages.items():
            file[offset : offset + PAGE] = self.page_bytes(page, page.newest)
        last = self.pages[self.at]
        copy = FIRST_PAGE[(1, 1)] - 2 if self.version == (1, 1) else 2
        place = self.at if self.version == (1, 1) else last.newest
        file[copy * PAGE : (copy + 1) * PAGE] = self.page_bytes(last, place, self.at)
        if copied:
            file[self.at : self.at + PAGE] = b"\xff" * PAGE
        restart = self._restart_page(flags, self.last if current is None else current)
        file[:PAGE] = file[PAGE : 2 * PAGE] = restart
        return bytes(file)

    def page_bytes(self, page: Place, newest: int, copy_of: int = 0) -> bytes:
        data = bytearray(page.data)
        ends = 1 if page.last_end else 0
        count, place = page.transfer
        struct.pack_into(
            "<4sHHQIHHH6xQ", data, 0, b"RCRD", 0x28, 9, newest, ends, count, place, page.next_offset, page.last_end
        )
        if self.version == (2, 0):
            struct.pack_into("<I", data, 0x3C, copy_of)
        return protected(data, 0x28)

    def _restart_page(self, flags: int, current: int) -> bytes:
        data = bytearray(PAGE)
        major, minor = self.version
        struct.pack_into("<4sHHQIIHHH", data, 0, b"RSTR", 0x1E, 9, 0, PAGE, PAGE, 0x30, minor, major)
        area = (
            current,
            1,
            NO_CLIENT,
            0,
            flags,
            64 - self.bits,
            0xE0,
            0x40,
            self.size,
            self.last_length,
            HEADER,
            DATA,
            7,
        )
        struct.pack_into("<QHHHHIHHQIHHI", data, 0x30, *area)
        client = (self.oldest, self.restart, NO_CLIENT, NO_CLIENT, 0, 8, "NTFS".encode("utf-16-le"))
        struct.pack_into("<QQHHH6xI128s", data, 0x70, *client)
        return protected(data, 0x1E)


def _table(entries: list[bytes]) -> bytes:
    if not entries:
        return b""
    size = len(entries[0])
    used = sum(entry[:4] == struct.pack("<I", IN_USE) for entry in entries)
    return struct.pack("<HHH6xIII", size, len(entries), used, IN_USE, 0, 0) + b"".join(entries)


def protected(data: bytearray, offset: int, number: int = 5) -> bytes:
    """The structure with fix-ups; their array is at `offset`."""
    data = bytearray(data)
    struct.pack_into("<H", data, offset, number)
    for block in range(len(data) // 512):
        end = block * 512 + 510
        data[offset + 2 + 2 * block : offset + 4 + 2 * block] = data[end : end + 2]
        struct.pack_into("<H", data, end, number)
    return bytes(data)


def plain(data: bytes | bytearray) -> bytearray:
    """A record or block of the volume with fix-ups undone."""
    result = bytearray(data)
    offset = int.from_bytes(data[4:6], "little")
    for block in range(len(data) // 512):
        end = block * 512 + 510
        result[end : end + 2] = result[offset + 2 + 2 * block : offset + 4 + 2 * block]
    return result
