"""The structures of a VHDX file.

Source: [MS-VHDX], Microsoft, "Virtual Hard Disk v2 (VHDX) File Format", revision 8.0. All numbers are little-endian,
GUIDs are in their binary form.
"""

from __future__ import annotations

import struct
from typing import NamedTuple
from uuid import UUID

from vmrescue.signatures import VHDX

MIB = 1 << 20  # the unit of places and lengths in the file
SECTOR = 4096  # bytes: the unit of the log, and the size of a header
SIGNATURE = VHDX
FIRST_REGION_AT = MIB  # before it are the file identifier, the headers and the region tables
BIGGEST = 64 << 40  # bytes: the largest disk (2.6.2.2)
BLOCK_SIZES = tuple(1 << bits for bits in range(20, 29))  # 1 to 256 MiB (2.6.2.1)
SECTOR_SIZES = (512, 4096)

HEADERS_AT = (64 << 10, 128 << 10)
HEADER_SIGNATURE = b"head"
HEADER = struct.Struct("<4sIQ16s16s16sHHIQ")  # 2.2.2: as `Header`, with the signature and checksum before it
NO_GUID = bytes(16)

REGION_TABLES_AT = (192 << 10, 256 << 10)
REGION_TABLE_SIZE = 64 << 10
REGION_SIGNATURE = b"regi"
REGION_HEAD = struct.Struct("<4sII4x")  # 2.2.3.1: signature, checksum, number of entries
REGION = struct.Struct("<16sQII")  # 2.2.3.2: as `Region`
MOST_ENTRIES = 2047  # of a region table or a metadata table
BAT_REGION = UUID("2DC27766-F623-4200-9D64-115E9BFD4A08").bytes_le
METADATA_REGION = UUID("8B7CA206-4790-4B9A-B8FE-575F050F886E").bytes_le

METADATA_TABLE_SIZE = 64 << 10
METADATA_SIGNATURE = b"metadata"
METADATA_HEAD = struct.Struct("<8s2xH20x")  # 2.6.1.1: signature, number of entries
METADATA_ENTRY = struct.Struct("<16sIII4x")  # 2.6.1.2: item, offset in the region, length, flags
IS_USER, IS_VIRTUAL_DISK, IS_REQUIRED = 1, 2, 4  # flags of an entry
FILE_PARAMETERS = UUID("CAA16737-FA36-4D43-B3B6-33F0AA44E76B").bytes_le
DISK_SIZE = UUID("2FA54224-CD1B-4876-B211-5DBED83BF4B8").bytes_le
DISK_ID = UUID("BECA12AB-B2E6-4523-93EF-C309E000C746").bytes_le
LOGICAL_SECTOR = UUID("8141BF1D-A96F-4709-BA47-F233A8FAAB5F").bytes_le
PHYSICAL_SECTOR = UUID("CDA348C7-445D-4471-9CC9-E9885251C556").bytes_le
PARENT_LOCATOR = UUID("A8D35F2D-B30B-454D-ABF7-D3D84834AB0C").bytes_le
PARAMETERS = struct.Struct("<II")  # 2.6.2.1: block size, flags
LEAVE_ALLOCATED, HAS_PARENT = 1, 2  # flags of the file parameters
NUMBER, SIZE = struct.Struct("<I"), struct.Struct("<Q")

VHDX_PARENT = UUID("B04AEFB7-D19E-4A81-B789-25B8E9445913").bytes_le  # the one type of parent locator (2.6.2.6.3)
LOCATOR_HEAD = struct.Struct("<16s2xH")  # 2.6.2.6.1: type, number of entries
LOCATOR_ENTRY = struct.Struct("<IIHH")  # 2.6.2.6.2: offsets of key and value in the item, and their lengths

LOG_SIGNATURE, DATA_DESCRIPTOR, ZERO_DESCRIPTOR, DATA_SIGNATURE = b"loge", b"desc", b"zero", b"data"
LOG_HEAD = struct.Struct("<4sIIIQI4x16sQQ")  # 2.3.1.1: as `LogHead`
DESCRIPTOR = struct.Struct("<4s4s8sQQ")  # 2.3.1.2, 2.3.1.3: signature, trailing, leading bytes, offset, sequence number
DATA_HEAD, DATA_TAIL = struct.Struct("<4sI"), struct.Struct("<I")  # 2.3.1.4: signature, high half; low half of that

ENTRY_SIZE = 8  # bytes of an entry of the block allocation table (2.5.1)
STATE = 7  # the bits of an entry that are its state
PLACE = ~(MIB - 1)  # the bits of an entry that are its place: bytes, in whole MiB
NOT_PRESENT, UNDEFINED, ZERO, UNMAPPED, FULLY_PRESENT, PARTIALLY_PRESENT = 0, 1, 2, 3, 6, 7
OLD_UNMAPPED = 5  # in version 0.95 of the specification; reserved now. QEMU reads such a block as zeros, too
BITMAP_BLOCK = MIB  # bytes of a sector bitmap block (2.4)


class Header(NamedTuple):
    """The fields of a header behind its signature and checksum."""

    sequence: int
    file_write_guid: bytes
    data_write_guid: bytes
    log_guid: bytes
    log_version: int
    version: int
    log_length: int
    log_offset: int


class Region(NamedTuple):
    """An entry of the region table: where a part of the file is, in bytes."""

    kind: bytes
    offset: int
    length: int
    required: int


class LogHead(NamedTuple):
    """The header of a log entry; `tail` is where the first entry of its sequence begins, in bytes of the log."""

    signature: bytes
    checksum: int
    length: int
    tail: int
    sequence: int
    descriptors: int
    guid: bytes
    flushed_size: int
    last_size: int


def checksum(data: bytes, at: int = 4) -> int:
    """The CRC-32C of a structure whose own checksum is at byte `at`, which counts as zero."""
    from google_crc32c import value  # here, because other images do not need it

    return int(value(data[:at] + bytes(4) + data[at + 4 :]))


def sealed(data: bytes) -> bytes:
    """A structure with the right checksum at byte 4."""
    return data[:4] + NUMBER.pack(checksum(data)) + data[8:]


def is_sound(data: bytes, signature: bytes) -> bool:
    """Whether a structure begins with its signature and has the right checksum at byte 4."""
    return data.startswith(signature) and len(data) >= 8 and checksum(data) == NUMBER.unpack_from(data, 4)[0]


def guid_text(guid: bytes) -> str:
    """A GUID as it is written in a parent locator."""
    return f"{{{UUID(bytes_le=guid)}}}"
