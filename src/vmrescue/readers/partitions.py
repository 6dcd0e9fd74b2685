"""Reads the partitions of a disk through dissect.volume, to confirm edits of a table.

Its version 3.18 reads only the first copy of a GPT, takes an entry's last sector for the sector after it, and follows a
circle of extended partitions until Python's recursion limit, which becomes an error like others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import FormatError
from vmrescue.readers.guard import reading
from vmrescue.readers.stream import DeviceStream

if TYPE_CHECKING:
    from uuid import UUID

    from vmrescue.device import BlockDevice, Readable

_ALTERNATE_AT = 32  # offset in a GPT header: the sector of the other one
MOST_ENTRIES = 1024  # most entries of a GPT; Windows makes 128


def partitions_of(device: BlockDevice, sector_size: int) -> list[tuple[int, int]]:
    """(first byte, size in bytes) of each partition with a volume. Raises FormatError if no table can be read."""
    from dissect.volume.disk import Disk
    from dissect.volume.disk.schemes import GPT

    with reading("partition table", None):
        disk = Disk(_bounded(device, sector_size), sector_size)
        is_gpt = isinstance(disk.scheme, GPT)
        return [(int(each.offset), int(each.size) + sector_size * is_gpt) for each in disk.partitions]


def active_partitions(device: BlockDevice, sector_size: int) -> list[int]:
    """Where each active partition of an MBR begins, in bytes. Raises FormatError if there is no MBR."""
    from dissect.volume.disk.schemes import MBR

    with reading("partition table", None):
        found = MBR(_bounded(device, sector_size), sector_size).partitions
        return [int(each.offset) for each in found if each.flags == 0x80]


def partition_types(device: BlockDevice, sector_size: int) -> dict[int, UUID]:
    """First byte -> type GUID, of each partition of a GPT. Raises FormatError if there is no GPT."""
    from dissect.volume.disk.schemes import GPT

    with reading("partition table", None):
        found = GPT(_bounded(device, sector_size), sector_size).partitions
        return {int(each.offset): each.type for each in found if not isinstance(each.type, int)}


def both_copies(device: BlockDevice, sector_size: int) -> list[list[tuple[int, int, UUID, UUID]]]:
    """What each copy of a GPT lists, the primary first: first byte, size in bytes, type and GUID of each partition.

    Raises FormatError if one of them cannot be read.
    """
    from dissect.volume.disk.schemes import GPT

    copies = []
    with reading("partition table", None):
        for seen in (device, _Turned(device, sector_size)):
            found = GPT(_bounded(seen, sector_size), sector_size).partitions
            copies.append([(int(p.offset), int(p.size) + sector_size, p.type, p.guid) for p in found])
    return copies


class _Turned:
    """A disk whose backup GPT stands in the place of the primary: dissect reads no other."""

    def __init__(self, device: BlockDevice, sector_size: int) -> None:
        self._device = device
        self._at = sector_size
        backup = int.from_bytes(device.read_at(sector_size + _ALTERNATE_AT, 8), "little")
        self._header = device.read_at(backup * sector_size, sector_size)
        self.size = device.size

    def read_at(self, offset: int, length: int) -> bytes:
        data = bytearray(self._device.read_at(offset, length))
        first, last = max(offset, self._at), min(offset + length, self._at + len(self._header))
        if first < last:
            data[first - offset : last - offset] = self._header[first - self._at : last - self._at]
        return bytes(data)


def _bounded(device: Readable, sector_size: int) -> DeviceStream:
    """The disk as a stream. Raises FormatError if its GPT has more than `MOST_ENTRIES` entries."""
    header = device.read_at(sector_size, 92) if device.size >= 2 * sector_size else b""
    if header[:8] == b"EFI PART" and (count := int.from_bytes(header[80:84], "little")) > MOST_ENTRIES:
        raise FormatError("GPT header", sector_size + 80, f"at most {MOST_ENTRIES} entries", count)
    return DeviceStream(device)
