"""The content of an attribute of an NTFS file, read by dissect.ntfs with corrections for its faults.

Version 3.16 ignores the initialized size (in Windows: valid data length), so it shows old bytes of the clusters where a
file has zeros. It joins extents without a check that none is missing. It takes a last compression unit for uncompressed
if its compressed data fill the rest of the file. And if a unit decompresses to less than its size, it shifts all that
follows. So all content is opened through this module.
Source: linux-ntfs documentation, "Attribute Header", "Compression".
"""

from __future__ import annotations

import struct
from io import BytesIO
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from dissect.ntfs.c_ntfs import ATTRIBUTE_TYPE_CODE
from dissect.util.compression import lznt1
from dissect.util.stream import AlignedStream

from vmrescue.errors import FormatError, in_volume

if TYPE_CHECKING:
    from typing import BinaryIO

    from dissect.ntfs.attr import Attribute
    from dissect.ntfs.mft import MftRecord
    from dissect.ntfs.stream import CompressedRunlistStream

COMPRESSED = 0x00FF  # bits of an attribute's flags: the compression method
LZNT1 = 1  # the only method
COMPRESSION_UNITS = (0, 4)  # clusters in a compression unit, as a power of two; 0: not compressed
MOST_COMPRESSED = 1 << 24  # most clusters of a compressed stream (usually 64 GiB), which dissect lists one by one
CHUNK = 4096  # bytes that are compressed separately
CHUNK_LENGTH = 0x0FFF  # bits of a chunk's two-byte header: the chunk's length with the header, less 3
READ_UNIT = 4096  # bytes
PAIRS_AT, INITIALIZED_AT = 0x20, 0x38  # offsets in an attribute's header

_HEAD = struct.Struct("<H")


def content_of(record: MftRecord, name: str = "", kind: Any = ATTRIBUTE_TYPE_CODE.DATA) -> BinaryIO:
    """A stream of a file, by default its unnamed data. Raises FormatError if its sizes and clusters do not agree."""
    check_extents(record, name, kind)
    stream: BinaryIO = record.open(name, kind)
    extents = _extents(record, name, kind)
    if extents[0].resident:
        return stream
    first = extents[0].header
    form = first.header.Form.Nonresident
    stored = sum(count for extent in extents for _, count in extent.dataruns()) * record.ntfs.cluster_size
    packed = first.flags & COMPRESSED
    if not 0 <= form.ValidDataLength <= form.FileSize or (form.FileSize > stored and not packed):
        expected = f"an initialized size within a size of at most {stored} bytes"
        found = f"{form.ValidDataLength} within {form.FileSize}"
        raise in_volume(title(record), _at(extents[0], INITIALIZED_AT), expected, found)
    if packed:
        stream = _UnitStream(stream)
    return stream if form.ValidDataLength == form.FileSize else _InitializedStream(stream, form.ValidDataLength)


def odd(record: MftRecord, expected: str, found: object) -> FormatError:
    """The error for a file record, or a structure that it leads to, that is not valid."""
    return in_volume(title(record), place_of_record(record), expected, found)


def title(record: MftRecord) -> str:
    return f"NTFS file record {record.segment}"


def place_of(extent: Attribute) -> int | None:
    """Where an attribute begins, in bytes from the volume's start; None if its record's position is not known."""
    place = place_of_record(extent.record)
    return None if place is None else place + int(extent.header.offset)


def _at(extent: Attribute, offset: int) -> int | None:
    """The position of a field of an attribute, in bytes from the volume's start."""
    place = place_of(extent)
    return None if place is None else place + offset


def place_of_record(record: MftRecord) -> int | None:
    """Where a file record begins, in bytes from the volume's start; None if that is not known."""
    if record.offset is None:
        return None
    table, offset = record.ntfs.mft.fh, record.offset
    for cluster, count in table.runlist:
        size = count * table.block_size
        if offset < size:
            return int(cluster * table.block_size + offset)
        offset -= size
    return None


def _extents(record: MftRecord, name: str, kind: Any) -> list[Attribute]:
    """The extents of a stream, in the order of their clusters."""
    found = record.attributes.find(name, kind)
    return sorted(found, key=lambda extent: 0 if extent.resident else extent.header.lowest_vcn)


def check_extents(record: MftRecord, name: str, kind: Any) -> None:
    """Raises FormatError if a stream's extents do not follow each other, store a cluster twice, or have no end."""
    extents = _extents(record, name, kind)
    if not extents or (extents[0].resident and len(extents) == 1):
        return
    next_vcn, runs = 0, []
    for extent in extents:
        if extent.resident or extent.header.lowest_vcn != next_vcn:
            found = "a value in the record" if extent.resident else f"from {extent.header.lowest_vcn} on"
            raise in_volume(title(record), place_of(extent), f"the stream's clusters from {next_vcn} on", found)
        for lcn, count in extent.dataruns():
            if count <= 0:
                raise in_volume(title(record), _at(extent, PAIRS_AT), "runs of one cluster or more", count)
            next_vcn += count
            runs.append((lcn, count))
    stored = sorted((lcn, count) for lcn, count in runs if lcn is not None)
    for (lcn, count), (following, _) in pairwise(stored):
        if lcn + count > following:
            place = _at(extents[0], PAIRS_AT)
            raise in_volume(title(record), place, "each cluster once in a stream", f"cluster {following} twice")
    if any(extent.header.flags & COMPRESSED for extent in extents):
        _check_compressed(record, extents[0], next_vcn)


def _check_compressed(record: MftRecord, extent: Attribute, clusters: int) -> None:
    header = extent.header
    if header.flags & COMPRESSED != LZNT1:
        raise in_volume(title(record), place_of(extent), "a compression of method 1", header.flags & COMPRESSED)
    if header.compression_unit not in COMPRESSION_UNITS:
        expected = f"a compression unit of {COMPRESSION_UNITS}"
        raise in_volume(title(record), place_of(extent), expected, header.compression_unit)
    if clusters > MOST_COMPRESSED:
        raise in_volume(title(record), place_of(extent), f"at most {MOST_COMPRESSED} compressed clusters", clusters)


class _InitializedStream(AlignedStream):  # type: ignore[misc]  # dissect.util has no types
    """A stream with zeros after its initialized size."""

    def __init__(self, stream: BinaryIO, initialized: int) -> None:
        super().__init__(size=stream.size, align=READ_UNIT)  # type: ignore[attr-defined]
        self._stream = stream
        self._initialized = initialized

    def _read(self, offset: int, length: int) -> bytes:
        there = max(0, min(length, self._initialized - offset))
        self._stream.seek(offset)
        data = self._stream.read(there) if there else b""
        return data + bytes(length - len(data))


class _UnitStream(AlignedStream):  # type: ignore[misc]
    """A compressed stream, read by units. Each unit is a hole, uncompressed, or compressed into fewer clusters."""

    def __init__(self, stream: CompressedRunlistStream) -> None:
        self._unit_size: int = stream.compression_unit_size
        super().__init__(size=stream.size, align=self._unit_size)
        self._disk = stream._fh
        self._cluster_size: int = stream.cluster_size
        self._units: list[list[tuple[int | None, int]]] = stream._cu_blocks

    def _read(self, offset: int, length: int) -> bytes:
        first = offset // self._unit_size
        return b"".join(map(self._unit, range(first, first + -(-length // self._unit_size))))

    def _unit(self, number: int) -> bytes:
        if number >= len(self._units):
            raise FormatError("compressed stream", number * self._unit_size, "clusters for the unit", "none")
        runs = self._units[number]
        stored = [(lcn, count) for lcn, count in runs if lcn is not None]
        if not stored:
            return bytes(self._unit_size)
        data = b"".join(self._clusters(lcn, count) for lcn, count in stored)
        return data if len(data) == self._unit_size else unpacked(data, self._unit_size)

    def _clusters(self, lcn: int, count: int) -> bytes:
        self._disk.seek(lcn * self._cluster_size)
        return bytes(self._disk.read(count * self._cluster_size))


def unpacked(data: bytes, size: int) -> bytes:
    """Decompresses a compression unit, chunk by chunk. Each chunk counts as 4096 bytes, also if it gives fewer."""
    chunks: list[bytes] = []
    at = 0
    while at + _HEAD.size <= len(data) and len(chunks) * CHUNK < size:
        (head,) = _HEAD.unpack_from(data, at)
        if not head:
            break
        end = at + (head & CHUNK_LENGTH) + 3
        chunk = lznt1.decompress(BytesIO(data[at:end]))
        if end > len(data) or len(chunk) > CHUNK:
            raise FormatError("compressed chunk", at, f"at most {CHUNK} bytes", f"{len(chunk)} from {end - at}")
        chunks.append(chunk.ljust(CHUNK, b"\0"))
        at = end
    return b"".join(chunks).ljust(size, b"\0")
