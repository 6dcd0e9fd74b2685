"""VHDX with limits: chooses the valid one of two headers and of two region tables, and limits the tables' length.

Source: [MS-VHDX]. The reader is dissect.hypervisor, which checks no checksums.
"""

from __future__ import annotations

import functools
import struct
from functools import partial
from typing import TYPE_CHECKING, Any

from vmrescue.errors import FormatError, UnsupportedError
from vmrescue.readers.opened_disk import UNIT, OpenedDisk, next_block
from vmrescue.readers.stream import DeviceStream

if TYPE_CHECKING:
    from vmrescue.device import BlockDevice

SECTOR = 512
REGION_TABLES = (192 << 10, 256 << 10)  # [MS-VHDX] 2.2.3; an entry count at byte 8
REGION_TABLE_SIZE = 64 << 10
MOST_REGIONS = 2047
VHDX_HEADERS = (64 << 10, 128 << 10)
VHDX_HEADER_SIZE = 4096
VHDX_HEADER = struct.Struct("<4xIQ32x16sHH")  # checksum, sequence number, log's GUID, its version, the file's version
VHDX_LOG = "the VHDX's log was not replayed (it was not closed cleanly): what is read may be older than it should be"
CASTAGNOLI = 0x82F63B78
METADATA_REGION = bytes.fromhex("06a27c8b90479a4bb8fe575f050f886e")
BAT_REGION = bytes.fromhex("6677c22d23f600429d64115e9bfd4a08")
REGION = struct.Struct("<16sQII")  # type, file offset, length, whether a reader must know the type
METADATA_HEAD, METADATA_ENTRY = struct.Struct("<8s2xH20x"), struct.Struct("<16sII8x")  # [MS-VHDX] 2.2.3.2
MOST_METADATA = 64  # the format defines six items
BLOCKS_OF_ZEROS = range(4)  # [MS-VHDX] 2.5.1.1: not present, undefined, zero, unmapped
BLOCK_SIZES = tuple(1 << bits for bits in range(20, 29))  # 1 to 256 MiB


def open_vhdx(store: BlockDevice, path: str | None) -> OpenedDisk:
    """The disk in a VHDX. `path` is for messages.

    Raises:
        FormatError: the image is damaged.
        UnsupportedError: it is a differencing image, or has a required item that is not known.
    """
    from dissect.hypervisor import vhdx

    sound = VhdxCopies(store)
    try:
        disk = vhdx.VHDX(DeviceStream(sound, UNIT))
    except AttributeError as error:
        if error.name != "parent":  # dissect looks for the parent beside a path, which it was not given
            raise
        raise UnsupportedError(f"{path} is a differencing VHDX: merge it with its parent first") from error
    check_vhdx_block(disk.block_size, disk.sector_size)
    # dissect.hypervisor 3.21 reads several blocks as if they were stored after the first one
    blocks = -(-disk.size // disk.block_size)

    def is_hole(block: int) -> bool:
        return block < blocks and int(disk.bat.pb(block).state) in BLOCKS_OF_ZEROS

    holes = partial(next_block, size=int(disk.block_size), is_hole=is_hole)
    return OpenedDisk(disk, disk.size, disk.sector_size, disk.block_size, tuple(sound.warnings), holes)


class VhdxCopies:
    """A VHDX file in which both places of the header and of the region table show the valid copy.

    dissect.hypervisor 3.21 uses the second header if both have the same number, and always the first region table.

    Attributes:
        warnings: oddities of the file, in sentences.

    Raises FormatError if no copy is valid, if two valid copies contradict each other, or if a table is longer than the
    format allows (dissect would read all of it).
    """

    def __init__(self, store: BlockDevice) -> None:
        self._store = store
        self.size = store.size
        header, log_in_use = _vhdx_header(store)
        at, table = _vhdx_regions(store)
        self._sound = {**dict.fromkeys(VHDX_HEADERS, header), **dict.fromkeys(REGION_TABLES, table)}
        self.warnings = [VHDX_LOG] if log_in_use else []
        if at != REGION_TABLES[0]:
            self.warnings.append(f"the VHDX's region table at byte {REGION_TABLES[0]} is damaged: its copy is read")

    def read_at(self, offset: int, length: int) -> bytes:
        data = self._store.read_at(offset, length)
        for at, sound in self._sound.items():
            start, end = max(offset, at), min(offset + length, at + len(sound))
            if start < end:
                data = data[: start - offset] + sound[start - at : end - at] + data[end - offset :]
        return data


def _vhdx_regions(store: BlockDevice) -> tuple[int, bytes]:
    """The first valid region table ([MS-VHDX] 2.2.3): (file offset, bytes)."""
    tables = [(at, store.read_at(at, REGION_TABLE_SIZE)) for at in REGION_TABLES]
    sound = [(at, raw) for at, raw in tables if _is_sound(raw, b"regi")]
    if not sound:
        expected = "a table with the right checksum there or at its copy's place, which says where the blocks are"
        raise FormatError("VHDX region table", REGION_TABLES[0], expected, "none")
    regions = [_regions(at, raw) for at, raw in sound]
    if regions[0] != regions[-1]:
        raise FormatError("VHDX region table", REGION_TABLES[1], "the same regions as in the first", "others")
    for number, (kind, place, _, required) in enumerate(regions[0]):
        if kind == METADATA_REGION:
            _check_metadata(store, place)
        elif kind != BAT_REGION and required & 1:
            found = f"region {number + 1} is of another kind, and required"
            raise UnsupportedError(f"the VHDX cannot be understood: {found}")
    return sound[0]


def _regions(at: int, table: bytes) -> list[tuple[Any, ...]]:
    (count,) = struct.unpack_from("<8xI4x", table)
    if count > MOST_REGIONS:
        raise FormatError("VHDX region table", at + 8, f"at most {MOST_REGIONS} entries", count)
    return list(REGION.iter_unpack(table[16 : 16 + count * REGION.size]))


def _check_metadata(store: BlockDevice, place: int) -> None:
    _, count = METADATA_HEAD.unpack(store.read_at(place, METADATA_HEAD.size))
    if count > MOST_METADATA:
        raise FormatError("VHDX metadata table", place + 10, f"at most {MOST_METADATA} entries", count)
    raw = store.read_at(place + METADATA_HEAD.size, count * METADATA_ENTRY.size)
    if len({item for item, _, _ in METADATA_ENTRY.iter_unpack(raw)}) < count:
        raise FormatError("VHDX metadata table", place, "each item once", "one twice")


def check_vhdx_block(block_size: int, sector_size: int) -> None:
    """Raises FormatError for sizes that the format does not allow; with a block below a sector dissect never ends."""
    if block_size not in BLOCK_SIZES or sector_size not in (SECTOR, 4096):
        expected = "blocks of 1 to 256 MiB, sectors of 512 or 4096 bytes"
        raise FormatError("VHDX metadata", None, expected, f"{block_size} and {sector_size}")


def _vhdx_header(store: BlockDevice) -> tuple[bytes, bool]:
    """The current header, and whether the log is in use: then it may have writes that the file lacks ([MS-VHDX] 2.2.2).

    Raises FormatError if no header is valid, or two valid ones contradict each other.
    """
    sound = [raw for at in VHDX_HEADERS if _is_sound(raw := store.read_at(at, VHDX_HEADER_SIZE), b"head")]
    if not sound:
        expected = "a sound header there or at the other's place, which says whether the log is to be replayed"
        raise FormatError("VHDX header", VHDX_HEADERS[0], expected, "none")
    numbers = [VHDX_HEADER.unpack_from(raw)[1] for raw in sound]
    if len(set(numbers)) < len(set(sound)):
        raise FormatError("VHDX header", VHDX_HEADERS[1], "one of the two headers to be the newer one", "two alike")
    newest = sound[numbers.index(max(numbers))]
    _, _, log, log_version, version = VHDX_HEADER.unpack_from(newest)
    if version != 1:
        raise FormatError("VHDX header", VHDX_HEADERS[0] + 66, "version 1", version)
    if any(log) and log_version:
        raise FormatError("VHDX header", VHDX_HEADERS[0] + 64, "a log of version 0", log_version)
    return newest, any(log)


def _is_sound(raw: bytes, signature: bytes) -> bool:
    """Whether a header or a region table has its signature and the right checksum."""
    return raw.startswith(signature) and crc32c(raw[:4] + bytes(4) + raw[8:]) == int.from_bytes(raw[4:8], "little")


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli), the checksum of VHDX; zlib does not have it."""
    table = _crc32c_table()
    value = 0xFFFFFFFF
    for byte in data:
        value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ 0xFFFFFFFF


@functools.cache
def _crc32c_table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (CASTAGNOLI if value & 1 else 0)
        table.append(value)
    return table
