"""E01 images (EnCase, Expert Witness), with limits on the size of chunks and on the chain of sections.

dissect.evidence 3.13 decompresses a chunk to any size, keeps a thousand of them, follows circles of sections, skips
segments that it cannot parse, and looks at no checksum of a chunk that is not compressed.

Source: libewf, "Expert Witness Compression Format".
"""

from __future__ import annotations

import functools
import struct
import zlib
from typing import TYPE_CHECKING, Any

from vmrescue.errors import FormatError
from vmrescue.readers.opened_disk import UNIT, OpenedDisk
from vmrescue.readers.packed import LARGEST_UNIT, unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vmrescue.device import BlockDevice

CHUNKS_KEPT = 16
SEGMENTS_OPEN = 128  # how many segments dissect.evidence keeps open
CHECKSUM = 4  # bytes after a chunk that is not compressed
COMPRESSED = 1 << 31  # bit of a table's entry
LONGEST_HEADER = 1 << 20  # most bytes of a case's description, decompressed
SEGMENT_NUMBER_AT = 9
_SECTION = struct.Struct("<16sQQ")  # 3.2: type, next section, size
_SECTION_SIZE = 76
_HEADERS = (b"header", b"header2")  # the case's description, packed
_ERRORS = b"error2"  # sectors that could not be read
_FIRST_SECTION = 13
_NOT_READ = "the disk could not be read everywhere when this E01 image was acquired: such places are zero in it"


def open_ewf(segments: Sequence[BlockDevice], sections: Sequence[bytes]) -> OpenedDisk:
    """The disk in an E01 image, from all its segments and what `check_segment` gave for them. Raises FormatError."""
    from vmrescue.readers.stream import DeviceStream  # here, because dissect.util is slow to import

    disk = bounded_ewf()([DeviceStream(segment, UNIT) for segment in segments])
    if len(disk._segments) != min(len(segments), SEGMENTS_OPEN):
        raise FormatError("E01 image", None, f"{len(segments)} sound segments", f"{len(disk._segments)}")
    said = (_NOT_READ,) if _ERRORS in sections else ()
    return OpenedDisk(disk.open(), disk.size, disk.volume.sector_size, warnings=said)


def segment_number(store: BlockDevice) -> int:
    """The number of a segment in its image, counted from 1."""
    return int.from_bytes(store.read_at(SEGMENT_NUMBER_AT, 2), "little")


def check_segment(store: BlockDevice, number: int, seen: list[bytes]) -> bytes:
    """The type of a segment's last section. Sections that list read errors are added to `seen`.

    Raises FormatError if the chain of sections goes back, because dissect.evidence would follow a circle.
    """
    found = segment_number(store)
    if found != number:
        raise FormatError("E01 segment", SEGMENT_NUMBER_AT, f"segment number {number}", found)
    offset = _FIRST_SECTION
    while True:
        raw = store.read_at(offset, _SECTION_SIZE)
        kind, following, size = _SECTION.unpack_from(raw)
        kind = kind.rstrip(b"\0")
        if kind == _ERRORS:
            seen.append(kind)
        if kind in _HEADERS:
            start = offset + _SECTION_SIZE
            packed = store.read_at(start, min(size, store.size - start))
            unpacked(packed, LONGEST_HEADER, "E01 header", start)
        if kind in (b"done", b"next"):
            return bytes(kind)
        if following < offset + _SECTION_SIZE:
            raise FormatError("E01 section", offset + 16, f"a next section after byte {offset}", following)
        offset = following


@functools.cache
def bounded_ewf() -> Any:
    """dissect's class for an E01 image, with chunks limited to the size that the image gives."""
    from dissect.evidence.ewf import EWF

    class BoundedEwf(EWF):  # type: ignore[misc]
        def segment(self, index: int) -> Any:
            segment = super().segment(index)
            chunk = segment.volume.sector_count * segment.volume.sector_size
            if not 0 < chunk <= LARGEST_UNIT:
                raise FormatError("E01 volume section", None, f"chunks of up to {LARGEST_UNIT} bytes", chunk)
            kind = _Chunks if hasattr(self, "size") else _Lengths
            for table in segment.tables:
                if type(table.read_chunk) is not kind:
                    table.read_chunk = kind(table, chunk)
            return segment

    return BoundedEwf


class _Lengths:
    """The chunks of a table as they are: of the last one dissect wants the length, before it knows the disk's size.

    A last chunk that is damaged keeps nothing else from being read: where it is compressed, so that it does not tell
    its length, the volume section does. Source: libewf, "Expert Witness Compression Format", 3.5 and 3.9.
    """

    def __init__(self, table: Any, size: int) -> None:
        self._table = table
        self._size = size
        self._read: Callable[[int], bytes] = functools.lru_cache(CHUNKS_KEPT)(self._uncached)

    def __call__(self, number: int) -> bytes:
        return self._read(number)

    def _uncached(self, number: int) -> bytes:
        table, entry = self._table, int(self._table.entries[number])
        start = self._place(entry)
        if number + 1 < table.num_entries:
            end = self._place(int(table.entries[number + 1]))
        else:
            section = table.section
            end = section.offset if start < section.offset else section.offset + section.size
        packed = bool(entry & COMPRESSED)
        length = min(end - start, 2 * self._size)
        if length < (0 if packed else CHECKSUM):
            raise FormatError("E01 table", table.section.offset, "chunks in their order", f"chunk {number}")
        table.segment.fh.seek(start)
        data = bytes(table.segment.fh.read(length))
        if len(data) < length:
            raise FormatError(
                "E01 table", table.section.offset, "chunks inside the file", f"chunk {number}", beyond=True
            )
        chunk = self._unpacked(data, start) if packed else self._stored(data, start)
        if number + 1 < table.num_entries and len(chunk) != self._size:
            raise FormatError("E01 chunk", start, f"{self._size} bytes", len(chunk))
        return chunk

    def _unpacked(self, data: bytes, start: int) -> bytes:
        """A compressed chunk; of one that is damaged, as many zeros."""
        try:
            return unpacked(data, self._size, "E01 chunk", start)
        except FormatError:
            volume = self._table.segment.volume
            last = volume.volume.total_sector_count * volume.sector_size - (volume.chunk_count - 1) * self._size
            if not 0 < last <= self._size:
                raise
            return bytes(last)

    def _stored(self, data: bytes, start: int) -> bytes:
        """A chunk that is not compressed, of its bytes with the checksum behind them."""
        return data[: min(len(data) - CHECKSUM, self._size)]

    def _place(self, entry: int) -> int:
        """Where a chunk begins, in bytes from the start of the segment's file."""
        return int(self._table.base_offset) + (entry & ~COMPRESSED)


class _Chunks(_Lengths):
    """The chunks of a table in an E01 segment, each with its checksum; zlib looks at that of a compressed one."""

    def _unpacked(self, data: bytes, start: int) -> bytes:
        return unpacked(data, self._size, "E01 chunk", start)

    def _stored(self, data: bytes, start: int) -> bytes:
        chunk = super()._stored(data, start)
        stored = int.from_bytes(data[len(chunk) : len(chunk) + CHECKSUM], "little")
        if (found := zlib.adler32(chunk)) != stored:
            raise FormatError("E01 chunk", start, f"the checksum {stored:#010x}", f"{found:#010x}")
        return chunk
