"""The readers of other makers' containers within bounds: tables and packed data as large as their formats allow.

A few kilobytes can be packed so that they become gigabytes; dissect.hypervisor 3.21 and dissect.evidence 3.13 unpack
whatever a VMDK's grain or an E01's chunk holds, keep a thousand of the latter, and read tables of any length.
"""

from __future__ import annotations

import functools
import struct
import zlib
from typing import TYPE_CHECKING, Any

from vmrescue.errors import FormatError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmrescue.device import BlockDevice

SECTOR = 512
LARGEST_UNIT = 16 << 20  # bytes of a grain or chunk: libewf's limit of 32768 sectors; VMware's grains have 64 KiB
MOST_GRAINS = 1 << 16  # in a grain table: VMware makes 512 or 4096
CHUNKS_KEPT = 16
CHECKSUM = 4  # bytes behind a chunk that is not compressed
COMPRESSED = 1 << 31  # in a table's entry
LONGEST_HEADER = 1 << 20  # bytes of an E01's case description, unpacked
QCOW2_HEADER = struct.Struct(">4sIQIIQIIQ")  # QEMU, docs/interop/qcow2.rst: the fields up to the L1 table's offset
LARGEST_L1 = 32 << 20  # bytes: QEMU's own limit
QCOW2_FEATURES_AT = 72  # version 3: the incompatible ones, as bits
QCOW2_KNOWN_FEATURES = 5
QCOW2_STATES = (
    (1, "the QCOW2 was not closed cleanly (its dirty bit is set): `qemu-img check -r all` mends it"),
    (2, "the QCOW2 is marked as corrupt: what is read may be wrong; `qemu-img check` says more"),
)
QCOW2_CLUSTERS = range(9, 22)  # bits


def unpacked(data: bytes, most: int, structure: str, position: int) -> bytes:
    """What a zlib stream holds. Raises FormatError where that is more than `most` bytes, or it is none."""
    stream = zlib.decompressobj()
    try:
        found = stream.decompress(data, most + 1)
    except zlib.error as error:
        raise FormatError(structure, position, "data packed with zlib", str(error)) from error
    if len(found) > most:
        raise FormatError(structure, position, f"at most {most} bytes when unpacked", "more")
    return found


@functools.cache
def bounded_sparse_disk() -> Any:
    """dissect's class for a sparse VMDK, whose grains are no larger than its header says."""
    from dissect.hypervisor.disk.vmdk import SparseDisk, c_vmdk

    class BoundedSparseDisk(SparseDisk):  # type: ignore[misc]
        def __init__(self, stream: Any) -> None:
            super().__init__(stream)
            if not 0 < self.header.grain_size * SECTOR <= LARGEST_UNIT:
                raise FormatError("VMDK header", 20, f"grains of up to {LARGEST_UNIT} bytes", self.header.grain_size)
            if not 0 < self._grain_table_size <= MOST_GRAINS:
                raise FormatError("VMDK header", 44, f"up to {MOST_GRAINS} grains in a table", self._grain_table_size)

        def _read_compressed_grain(self, sector: int) -> bytes:
            with_address = self.header.flags & c_vmdk.SPARSEFLAG_EMBEDDED_LBA
            head, at = (12, 8) if with_address else (4, 0)  # the grain's first sector (8 bytes), then its size
            self.fh.seek(sector * SECTOR)
            size = int.from_bytes(self.fh.read(head)[at:], "little")
            most = self.header.grain_size * SECTOR
            return unpacked(self.fh.read(min(size, 2 * most)), most, "VMDK grain", sector * SECTOR)

    return BoundedSparseDisk


@functools.cache
def bounded_ewf() -> Any:
    """dissect's class for an E01 image, whose chunks are no larger than the image says."""
    from dissect.evidence.ewf import EWF

    class BoundedEwf(EWF):  # type: ignore[misc]
        def segment(self, index: int) -> Any:
            segment = super().segment(index)
            chunk = segment.volume.sector_count * segment.volume.sector_size
            if not 0 < chunk <= LARGEST_UNIT:
                raise FormatError("E01 volume section", None, f"chunks of up to {LARGEST_UNIT} bytes", chunk)
            for table in segment.tables:
                if not isinstance(table.read_chunk, _Chunks):
                    table.read_chunk = _Chunks(table, chunk)
            return segment

    return BoundedEwf


class _Chunks:
    """The chunks that a table of an E01 segment refers to. Source: libewf, "Expert Witness Compression Format", 3.9."""

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
        length = min(end - start - (0 if packed else CHECKSUM), 2 * self._size)
        if length < 0:
            raise FormatError("E01 table", table.section.offset, "chunks in their order", f"chunk {number}")
        table.segment.fh.seek(start)
        data = bytes(table.segment.fh.read(length))
        return unpacked(data, self._size, "E01 chunk", start) if packed else data[: self._size]

    def _place(self, entry: int) -> int:
        """The byte of the segment's file where a chunk begins."""
        return int(self._table.base_offset) + (entry & ~COMPRESSED)


def check_qcow2(store: BlockDevice) -> tuple[str, ...]:
    """What is odd about a QCOW2 that can be read, in sentences.

    Raises:
        FormatError: its header asks for more than QEMU would read.
        UnsupportedError: it is encrypted, or has a feature without which it cannot be understood.
    """
    _, version, backing, _, bits, _, encryption, l1_size, _ = QCOW2_HEADER.unpack(store.read_at(0, QCOW2_HEADER.size))
    if encryption:
        raise UnsupportedError("the QCOW2 is encrypted: decrypt it first (qemu-img convert with its secret)")
    features = int.from_bytes(store.read_at(QCOW2_FEATURES_AT, 8), "big") if version >= 3 else 0
    if features >> QCOW2_KNOWN_FEATURES:
        raise UnsupportedError(f"the QCOW2 has features that are not known (0x{features:x}): it is not read")
    if bits not in QCOW2_CLUSTERS:
        raise FormatError("QCOW2 header", 20, "clusters of 9 to 21 bits", bits)
    if backing >= 1 << bits:
        raise FormatError("QCOW2 header", 8, "a backing file's name in the first cluster", backing)
    if l1_size * 8 > LARGEST_L1:
        raise FormatError("QCOW2 header", 36, f"an L1 table of at most {LARGEST_L1} bytes", l1_size * 8)
    return tuple(said for bit, said in QCOW2_STATES if features & bit)
