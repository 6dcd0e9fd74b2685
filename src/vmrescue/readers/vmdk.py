"""Sparse extents of a VMDK with limits: grains are limited to their declared size.

The descriptor is parsed where the container is opened (`image.containers.vmdk_pieces`).

dissect.hypervisor 3.21 decompresses a grain to any size, and reads tables of any length. Source: VMware, "Virtual Disk
Format 5.0".
"""

from __future__ import annotations

import functools
from functools import partial
from typing import TYPE_CHECKING, Any

from vmrescue.device import prefetch
from vmrescue.errors import FormatError
from vmrescue.readers.opened_disk import SECTOR, UNIT, Extent, must_begin_inside, next_block
from vmrescue.readers.packed import LARGEST_UNIT, unpacked

if TYPE_CHECKING:
    from vmrescue.device import BlockDevice

GRAINS_OF_ZEROS = (0, 1)  # in a grain table: not there, and zero; without a parent both are zero
SE_ALLOCATED = 3  # the top four bits of an entry of an SESparse extent
MOST_GRAINS = 1 << 16  # most grains of a grain table; VMware makes 512 or 4096


def sparse_extent(store: BlockDevice) -> Extent:
    """The part of a disk in a sparse extent. Raises FormatError."""
    from vmrescue.readers.stream import DeviceStream  # here, because dissect.util is slow to import

    disk = bounded_sparse_disk()(DeviceStream(store, UNIT))
    grain = int(disk.header.grain_size) * SECTOR
    grains = -(-disk.size // grain)
    if not prefetch(store):  # of an image far away all tables would have to be fetched
        _must_be_whole(disk, store)

    def is_hole(number: int) -> bool:
        return number < grains and disk._lookup_grain(number) in GRAINS_OF_ZEROS

    return Extent(
        disk.size,
        lambda offset, length: disk.read_sectors(offset // SECTOR, length // SECTOR),
        partial(next_block, size=grain, is_hole=is_hole),
    )


def _must_be_whole(disk: Any, store: BlockDevice) -> None:
    """Raises FormatError if a grain begins behind the file's end."""
    for number in range(len(disk._grain_directory)):
        table = disk._lookup_grain_table(number) or ()
        if disk.is_sesparse:
            last = max((_se_sparse(disk, entry) for entry in table if entry >> 60 == SE_ALLOCATED), default=0)
        else:
            last = max(table, default=0)
        must_begin_inside("VMDK grain table", last * SECTOR, store)


def _se_sparse(disk: Any, entry: int) -> int:
    """The first sector of an allocated grain of an SESparse extent: its number's low bits stand above its high ones.

    Source: QEMU, block/vmdk.c.
    """
    number = (entry >> 48 & 0xFFF) | (entry & (1 << 48) - 1) << 12
    return int(disk.header.grains_offset + number * disk.header.grain_size)


@functools.cache
def bounded_sparse_disk() -> Any:
    """dissect's class for a sparse VMDK, with grains limited to the size in its header."""
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
