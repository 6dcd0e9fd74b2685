"""The bytes of a hive's file: read when they are first asked for, and changed in memory.

Only the parts of a hive that were read are in memory. The old content of the pages that an edit changes is kept, so the
changed pages are known without a second copy of the hive.
"""

from __future__ import annotations

import struct
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vmrescue.device import Readable

PAGE = 4096  # bytes; changes are reported in pages
PIECE_BITS = 16  # a source is read in pieces of 64 KiB
AT_ONCE = 1 << 20  # bytes that are read at once of what is not kept
WHOLE_BITS = 62  # bytes that are in memory already are one piece


class FileBytes:
    """Bytes that can be read, replaced, and added at the end.

    Args:
        source: the file's bytes, which are copied only when they are changed; or what they are read from, which must
            not change meanwhile, unless to the content that this object has.
    """

    def __init__(self, source: bytes | Readable) -> None:
        self._pieces: dict[int, bytes | bytearray] = {}
        self._before: dict[int, bytes] = {}  # page -> its content before its first change; shorter at the file's end
        self._source: Readable | None = None
        self._bits = WHOLE_BITS
        if isinstance(source, bytes):
            self._size = len(source)
            self._pieces[0] = source
        else:
            self._size, self._source, self._bits = source.size, source, PIECE_BITS
        self._mask = (1 << self._bits) - 1
        self._first_size = self._size  # the file's size in bytes, before all changes

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> bytes:
        """A slice, as of `bytes`; a step is ignored."""
        start, end, _ = part.indices(self._size)
        if end <= start:
            return b""
        first, last = start >> self._bits, (end - 1) >> self._bits
        if first == last:
            piece, at = self._piece(first), start & self._mask
            if isinstance(piece, bytes):
                return piece[at : at + end - start]  # no copy is made of a whole piece
            return bytes(memoryview(piece)[at : at + end - start])
        parts = [self._piece(first)[start & self._mask :], *map(self._piece, range(first + 1, last))]
        return b"".join([*parts, self._piece(last)[: (end - 1 & self._mask) + 1]])

    def unpack(self, layout: struct.Struct, position: int) -> tuple[Any, ...]:
        """The fields at a byte of the file. Raises struct.error if the file ends before they do."""
        piece = self._pieces.get(position >> self._bits)
        if piece is not None:  # the usual case; the check of a hive calls this millions of times
            try:
                return layout.unpack_from(piece, position & self._mask)
            except struct.error:
                pass  # the fields lie in two pieces, or the file ends
        return layout.unpack(self[position : position + layout.size])

    def find(self, pattern: bytes, start: int, end: int) -> int:
        """The position of the first occurrence of `pattern` in a part of the file; -1 if there is none."""
        found = self[start:end].find(pattern)
        return found if found < 0 else start + found

    def peek(self, position: int, length: int) -> bytes:
        """Bytes of the file; what is read for this is not kept in memory."""
        end = position + length
        if self._source is None or end > self._first_size:
            return self[position:end]
        if length > AT_ONCE:
            whole = BytesIO()  # which gives away its content without a copy
            whole.seek(length - 1)
            whole.write(b"\0")  # so that it has the right size from the start
            whole.seek(0)
            for start in range(position, end, AT_ONCE):
                whole.write(self.peek(start, min(AT_ONCE, end - start)))
            return whole.getvalue()
        found = self._source.read_at(position, length)
        known = [
            number for number in range(position >> self._bits, ((end - 1) >> self._bits) + 1) if number in self._pieces
        ]
        return self._with_pieces(found, known, position) if known else found

    def _with_pieces(self, read: bytes, known: list[int], position: int) -> bytes:
        """Bytes that were read from the source at a position, with what pieces in memory have there."""
        found, end = bytearray(read), position + len(read)
        for number in known:
            start = number << self._bits
            low, high = max(position, start), min(end, start + len(self._pieces[number]))
            found[low - position : high - position] = self._pieces[number][low - start : high - start]
        return bytes(found)

    def _piece(self, number: int) -> bytes | bytearray:
        piece = self._pieces.get(number)
        if piece is None:
            start = number << self._bits
            length = min(self._first_size - start, 1 << self._bits)
            piece = self._source.read_at(start, length) if self._source and length > 0 else b""
            self._pieces[number] = piece
        return piece

    def _to_change(self, number: int) -> bytearray:
        piece = self._piece(number)
        if isinstance(piece, bytes):
            piece = self._pieces[number] = bytearray(piece)
        return piece

    def write(self, position: int, data: bytes) -> None:
        """Replaces bytes from `position`, which is at most the end; data beyond the end makes the file longer."""
        end = position + len(data)
        for page in range(position // PAGE, -(-end // PAGE)):
            if page not in self._before:
                self._before[page] = self[page * PAGE : min((page + 1) * PAGE, self._first_size)]
        at = position
        while at < end:
            number, within = at >> self._bits, at & self._mask
            length = min(end - at, (1 << self._bits) - within)
            self._to_change(number)[within : within + length] = data[at - position : at - position + length]
            at += length
        self._size = max(self._size, end)

    def cut(self, size: int) -> None:
        """Drops what was added after the first `size` bytes."""
        for number in [number for number in self._pieces if number << self._bits >= size and number]:
            del self._pieces[number]
        last = size >> self._bits
        if last in self._pieces and len(self._pieces[last]) > size & self._mask:
            del self._to_change(last)[size & self._mask :]
        self._size = size

    def changed(self) -> list[tuple[int, int]]:
        """(offset, length) in bytes of the pages that differ from the first content; neighbours are one range."""
        ranges: list[tuple[int, int]] = []
        for page in sorted(self._before):
            start = page * PAGE
            now = self[start : start + PAGE]
            if now == self._before[page]:
                continue
            if ranges and sum(ranges[-1]) == start:
                ranges[-1] = (ranges[-1][0], ranges[-1][1] + len(now))
            else:
                ranges.append((start, len(now)))
        return ranges
