"""The structures of a VHD 1.0: footer, dynamic header, parent locators.

Source: Microsoft, "Virtual Hard Disk Image Format Specification", version 1.0, 2006. All numbers are big-endian; a
sector is 512 bytes; a time is in seconds since 2000-01-01 00:00 UTC.
"""

from __future__ import annotations

import struct
import time
import uuid

from construct import Array, Bytes, Int8ub, Int16ub, Int32ub, Int64ub, Struct

from vmrescue.dataclass import dataclass
from vmrescue.errors import FormatError, UnsupportedError, bytes_text
from vmrescue.image.transports.file import SECTOR
from vmrescue.signatures import VHD

FIXED, DYNAMIC, DIFFERENCING = 2, 3, 4  # disk types
FOOTER_COOKIE = VHD
RELATIVE, ABSOLUTE = b"W2ru", b"W2ku"  # platform codes of a parent's path, in UTF-16, little-endian
HEADER_COOKIE = b"cxsparse"
HEADER_SIZE = 1024
NO_BLOCK = 0xFFFFFFFF  # an entry of the block allocation table whose block is not in the file
NOWHERE = 0xFFFFFFFFFFFFFFFF  # the data offset of a fixed disk
BIGGEST = 2040 << 30  # bytes; the format's limit for the size of a disk
MOST_ENTRIES = 1 << 22  # 2 TiB, the format's limit, in blocks of 512 KiB; bounds the memory that a header can ask for
EPOCH = 946684800  # 2000-01-01 in Unix time
CHECKSUM = struct.Struct(">I")
FOOTER_CHECKSUM_AT = 64
HEADER_CHECKSUM_AT = 36

FOOTER = Struct(
    "cookie" / Bytes(8),
    "features" / Int32ub,  # bit 1 is always set
    "version" / Int32ub,
    "data_offset" / Int64ub,  # position of the dynamic header, in bytes
    "time_stamp" / Int32ub,  # of creation
    "creator_application" / Bytes(4),
    "creator_version" / Int32ub,
    "creator_host" / Bytes(4),
    "original_size" / Int64ub,  # bytes
    "current_size" / Int64ub,  # bytes: the size of the disk; the geometry is only an approximation of it
    "cylinders" / Int16ub,
    "heads" / Int8ub,
    "sectors_per_track" / Int8ub,
    "disk_type" / Int32ub,
    "checksum" / Int32ub,
    "unique_id" / Bytes(16),
    "saved_state" / Int8ub,  # 1: the virtual machine was saved, not shut down
    "reserved" / Bytes(427),
)

LOCATOR = Struct(
    "platform_code" / Bytes(4),
    "data_space" / Int32ub,  # bytes set aside (the specification says sectors; Windows writes bytes)
    "data_length" / Int32ub,  # bytes
    "reserved" / Int32ub,
    "data_offset" / Int64ub,  # bytes from the start of the file
)

HEADER = Struct(
    "cookie" / Bytes(8),
    "data_offset" / Int64ub,  # unused, all ones
    "table_offset" / Int64ub,  # position of the block allocation table, in bytes
    "version" / Int32ub,
    "max_table_entries" / Int32ub,
    "block_size" / Int32ub,  # bytes of data in a block, without its sector bitmap
    "checksum" / Int32ub,
    "parent_unique_id" / Bytes(16),
    "parent_time_stamp" / Int32ub,
    "reserved" / Int32ub,
    "parent_name" / Bytes(512),  # UTF-16, big-endian
    "locators" / Array(8, LOCATOR),
    "padding" / Bytes(256),
)


@dataclass(frozen=True)
class Footer:
    """The fields of a footer; sizes in bytes. `raw` are its 512 bytes as they were read."""

    disk_type: int
    current_size: int
    data_offset: int
    unique_id: bytes
    time_stamp: int
    saved_state: bool
    raw: bytes


@dataclass(frozen=True)
class Locator:
    """Where in the file a path of the parent is, and in which form."""

    platform_code: bytes
    offset: int
    length: int


@dataclass(frozen=True)
class Header:
    """The fields of a dynamic header. `entries`: the number of the table's entries that the disk needs."""

    table_offset: int
    max_table_entries: int
    block_size: int
    parent_unique_id: bytes
    parent_time_stamp: int
    parent_name: str
    locators: tuple[Locator, ...]
    raw: bytes


def checksum(data: bytes, at: int) -> int:
    """One's complement of the sum of all bytes except the four of the checksum, which is at offset `at`."""
    return ~(sum(data) - sum(data[at : at + 4])) & 0xFFFFFFFF


def checksum_fault(raw: bytes, position: int) -> FormatError | None:
    """The error of a wrong checksum of the footer or header at `position`; None if it is right."""
    structure, at = ("VHD footer", FOOTER_CHECKSUM_AT)
    if raw.startswith(HEADER_COOKIE):
        structure, at = ("VHD dynamic header", HEADER_CHECKSUM_AT)
    found, right = CHECKSUM.unpack_from(raw, at)[0], checksum(raw, at)
    return None if found == right else FormatError(structure, position + at, f"the checksum {right:#x}", hex(found))


def read_footer(raw: bytes, position: int) -> Footer:
    """Parses the 512 bytes of the footer at `position`; does not verify the checksum. Raises FormatError."""
    if not raw.startswith(FOOTER_COOKIE):
        raise FormatError("VHD footer", position, f"the cookie {bytes_text(FOOTER_COOKIE)}", raw[:8])
    fields = FOOTER.parse(raw)
    if fields.disk_type not in (FIXED, DYNAMIC, DIFFERENCING):
        raise FormatError("VHD footer", position + 60, "the disk type 2, 3 or 4", fields.disk_type)
    if not fields.current_size or fields.current_size % SECTOR:
        raise FormatError("VHD footer", position + 48, "a size of whole sectors", fields.current_size)
    return Footer(
        disk_type=fields.disk_type,
        current_size=fields.current_size,
        data_offset=fields.data_offset,
        unique_id=fields.unique_id,
        time_stamp=fields.time_stamp,
        saved_state=bool(fields.saved_state),
        raw=raw,
    )


def read_header(raw: bytes, position: int, disk_size: int) -> Header:
    """Parses the dynamic header of a disk of `disk_size` bytes; does not verify the checksum.

    Raises FormatError or UnsupportedError.
    """
    if not raw.startswith(HEADER_COOKIE):
        raise FormatError("VHD dynamic header", position, f"the cookie {bytes_text(HEADER_COOKIE)}", raw[:8])
    fields = HEADER.parse(raw)
    block_size = fields.block_size
    if block_size < SECTOR or block_size & (block_size - 1):
        raise FormatError("VHD dynamic header", position + 32, "a block size that is a power of two", block_size)
    needed = -(-disk_size // block_size)
    if needed > MOST_ENTRIES:
        raise UnsupportedError(f"the VHD has {needed} blocks of {block_size} bytes; {MOST_ENTRIES} are supported")
    if fields.max_table_entries < needed:
        expected = f"at least {needed} table entries for a disk of {disk_size} bytes"
        raise FormatError("VHD dynamic header", position + 28, expected, fields.max_table_entries)
    return Header(
        table_offset=fields.table_offset,
        max_table_entries=fields.max_table_entries,
        block_size=block_size,
        parent_unique_id=fields.parent_unique_id,
        parent_time_stamp=fields.parent_time_stamp,
        parent_name=fields.parent_name.decode("utf-16-be", "replace").partition("\0")[0],
        locators=tuple(Locator(each.platform_code, each.data_offset, each.data_length) for each in fields.locators),
        raw=raw,
    )


def build_footer(disk_type: int, size: int, unique_id: bytes | None = None) -> bytes:
    """A footer for a disk of `size` bytes; without `unique_id`, with a new id.

    The geometry is the largest possible, so that every reader takes the size from `current_size`. Some readers, such as
    QEMU, otherwise take it from the geometry if they do not know the creator.
    """
    fields = {
        "cookie": FOOTER_COOKIE,
        "features": 2,
        "version": 0x00010000,
        "data_offset": NOWHERE if disk_type == FIXED else SECTOR,
        "time_stamp": int(time.time()) - EPOCH,
        "creator_application": b"vmrs",
        "creator_version": 0x00010000,
        "creator_host": b"Wi2k",
        "original_size": size,
        "current_size": size,
        "cylinders": 65535,
        "heads": 16,
        "sectors_per_track": 255,
        "disk_type": disk_type,
        "checksum": 0,
        "unique_id": unique_id or uuid.uuid4().bytes,
        "saved_state": 0,
        "reserved": bytes(427),
    }
    return sealed(FOOTER.build(fields), FOOTER_CHECKSUM_AT)


def resized_footer(raw: bytes, size: int) -> bytes:
    """The footer `raw` with `size` bytes as the disk's size, and the largest geometry, as in a new footer.

    The original size is changed too. It is meant as information only, but libvhdi takes it for the disk's size.
    """
    return _changed(raw, original_size=size, current_size=size, cylinders=65535, heads=16, sectors_per_track=255)


def _changed(raw: bytes, **fields: int) -> bytes:
    return sealed(FOOTER.build({**FOOTER.parse(raw), **fields}), FOOTER_CHECKSUM_AT)


def build_header(
    table_offset: int,
    entries: int,
    block_size: int,
    parent: tuple[bytes, int, str] | None = None,
    locators: tuple[tuple[bytes, int, int], ...] = (),
) -> bytes:
    """A dynamic header.

    Args:
        table_offset: position of the block allocation table, in bytes.
        parent: (unique id, time stamp, name) of a differencing disk's parent.
        locators: (platform code, position in bytes, length in bytes) of each parent locator.
    """
    unique_id, time_stamp, name = parent or (bytes(16), 0, "")
    unused = (bytes(4), 0, 0)
    fields = {
        "cookie": HEADER_COOKIE,
        "data_offset": NOWHERE,
        "table_offset": table_offset,
        "version": 0x00010000,
        "max_table_entries": entries,
        "block_size": block_size,
        "checksum": 0,
        "parent_unique_id": unique_id,
        "parent_time_stamp": time_stamp,
        "reserved": 0,
        "parent_name": name.encode("utf-16-be")[:510].ljust(512, b"\0"),
        "locators": [_locator(*each) for each in (*locators, *[unused] * (8 - len(locators)))],
        "padding": bytes(256),
    }
    return sealed(HEADER.build(fields), HEADER_CHECKSUM_AT)


def moved_header(raw: bytes, table_offset: int, entries: int) -> bytes:
    """The header `raw` with a block allocation table of `entries` entries at `table_offset`."""
    fields = {**HEADER.parse(raw), "table_offset": table_offset, "max_table_entries": entries}
    return sealed(HEADER.build(fields), HEADER_CHECKSUM_AT)


def _locator(platform_code: bytes, offset: int, length: int) -> dict[str, object]:
    space = -(-length // SECTOR) * SECTOR
    return {
        "platform_code": platform_code,
        "data_space": space,
        "data_length": length,
        "reserved": 0,
        "data_offset": offset,
    }


def sealed(raw: bytes, at: int) -> bytes:
    """The footer or header with the right checksum at offset `at`."""
    return raw[:at] + CHECKSUM.pack(checksum(raw, at)) + raw[at + 4 :]
