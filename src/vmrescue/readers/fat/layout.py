"""What the readers of FAT volumes know of its structures. Source: Microsoft, fatgen103."""

from __future__ import annotations

import struct

LONG_NAME = 0x0F  # attributes of a slot with a part of a long name
FIRST_END = {12: 0xFF8, 16: 0xFFF8, 32: 0x0FFFFFF8}  # this and higher entries of the table end a chain
LOWER_BASE, LOWER_EXTENSION = 0x08, 0x10  # bits of an entry's byte 12: Windows shows that part in lower case
CLEAN = {16: 0xC000, 32: 0x0C000000}  # bits of the table's entry 1: dismounted cleanly, no errors seen
MOUNTED_OR_BAD = 0x03  # bits of the boot sector's state byte
ENTRY = 0x0FFFFFFF  # mask of a FAT32 entry without its reserved bits
NOTED = struct.Struct("<4s480x4sI16s4s")  # FSInfo: signature, signature, free clusters, unused, signature
_SIGNATURES = (b"RRaA", b"rrAa", b"\0\0\x55\xaa")


def noted_in(sector: bytes) -> int | None:
    """The number of free clusters in FSInfo; None if its signatures are wrong."""
    lead, signature, noted, _, trail = NOTED.unpack(sector)
    return int(noted) if (lead, signature, trail) == _SIGNATURES else None


def checksum_of(short: bytes) -> int:
    """The checksum of a short name, which the parts of its long name contain (fatgen103, `ChkSum`)."""
    total = 0
    for byte in short:
        total = (total // 2 + total % 2 * 128 + byte) % 256
    return total
