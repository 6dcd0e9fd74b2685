"""What an attribute of an NTFS file holds, as dissect.ntfs reads it from the disk, and without its faults.

Version 3.16 does not know the initialized size (Windows: valid data length): behind it lies what the clusters held
before, and a file reads as zeros. It puts extents after each other without asking whether one is missing; takes a
last compression unit that fills its rest of the file when packed for one that is not packed; and lets a unit that
unpacks to less than a whole one move up what follows it. All content is therefore opened here.
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

from vmrescue.errors import FormatError

if TYPE_CHECKING:
    from typing import BinaryIO

    from dissect.ntfs.attr import Attribute
    from dissect.ntfs.mft import MftRecord
    from dissect.ntfs.stream import CompressedRunlistStream

COMPRESSED = 0x00FF  # among an attribute's flags: its method
LZNT1 = 1  # the one method that there is
COMPRESSION_UNITS = (0, 4)  # the powers of two of clusters that Windows compresses together
MOST_COMPRESSED = 1 << 24  # clusters of a compressed stream, which dissect unfolds one by one; 64 GiB as a rule
CHUNK = 4096  # bytes that are compressed by themselves
CHUNK_LENGTH = 0x0FFF  # in the two bytes before one: its length with them, less 3
READ_UNIT = 4096  # bytes
PAIRS_AT, INITIALIZED_AT = 0x20, 0x38  # bytes of an attribute's header

_HEAD = struct.Struct("<H")


def content_of(record: MftRecord, name: str = "", kind: Any = ATTRIBUTE_TYPE_CODE.DATA) -> BinaryIO:
    """A stream of a file, its unnamed data as a rule. Raises FormatError where its sizes and clusters make no sense."""
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
        raise FormatError(title(record), _at(extents[0], INITIALIZED_AT), expected, found)
    if packed:
        stream = _UnitStream(stream)
    return stream if form.ValidDataLength == form.FileSize else _InitializedStream(stream, form.ValidDataLength)


def odd(record: MftRecord, expected: str, found: object) -> FormatError:
    """What is said where a file record, or what it leads to, is not as it should be."""
    return FormatError(title(record), place_of_record(record), expected, found)


def title(record: MftRecord) -> str:
    return f"NTFS file record {record.segment}"


def place_of(extent: Attribute) -> int | None:
    """The byte of the volume at which an attribute begins; None where its record's place is not known."""
    place = place_of_record(extent.record)
    return None if place is None else place + int(extent.header.offset)


def _at(extent: Attribute, offset: int) -> int | None:
    """The byte of the volume at which a field of an attribute lies."""
    place = place_of(extent)
    return None if place is None else place + offset


def place_of_record(record: MftRecord) -> int | None:
    """The byte of the volume at which a file record begins; None where that is not known."""
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
    """Raises FormatError where a stream's extents do not follow each other, store a cluster twice, or have no end."""
    extents = _extents(record, name, kind)
    if not extents or (extents[0].resident and len(extents) == 1):
        return
    next_vcn, runs = 0, []
    for extent in extents:
        if extent.resident or extent.header.lowest_vcn != next_vcn:
            found = "a value in the record" if extent.resident else f"from {extent.header.lowest_vcn} on"
            raise FormatError(title(record), place_of(extent), f"the stream's clusters from {next_vcn} on", found)
        for lcn, count in extent.dataruns():
            if count <= 0:
                raise FormatError(title(record), _at(extent, PAIRS_AT), "runs of one cluster or more", count)
            next_vcn += count
            runs.append((lcn, count))
    stored = sorted((lcn, count) for lcn, count in runs if lcn is not None)
    for (lcn, count), (following, _) in pairwise(stored):
        if lcn + count > following:
            place = _at(extents[0], PAIRS_AT)
            raise FormatError(title(record), place, "each cluster once in a stream", f"cluster {following} twice")
    if any(extent.header.flags & COMPRESSED for extent in extents):
        _check_compressed(record, extents[0], next_vcn)


def _check_compressed(record: MftRecord, extent: Attribute, clusters: int) -> None:
    header = extent.header
    if header.flags & COMPRESSED != LZNT1:
        raise FormatError(title(record), place_of(extent), "a compression of method 1", header.flags & COMPRESSED)
    if header.compression_unit not in COMPRESSION_UNITS:
        expected = f"a compression unit of {COMPRESSION_UNITS}"
        raise FormatError(title(record), place_of(extent), expected, header.compression_unit)
    if clusters > MOST_COMPRESSED:
        raise FormatError(title(record), place_of(extent), f"at most {MOST_COMPRESSED} compressed clusters", clusters)


class _InitializedStream(AlignedStream):  # type: ignore[misc]  # dissect.util has no types
    """A stream of which only the first bytes were ever written: what lies behind them reads as zeros."""

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
    """A compressed stream, unit by unit: each one is a hole, or stored as it is, or packed into fewer clusters."""

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
    """A compression unit, unpacked: chunk by chunk, each of which stands for 4096 bytes, whatever it says itself."""
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
