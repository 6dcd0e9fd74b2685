"""A dirty hive with its transaction logs, in one input: the sizes of the three files, then the files."""

from __future__ import annotations

import functools
import struct

from fuzz.layouts import Field, of_construct, of_struct
from fuzz.mutation import Seed
from fuzz.parser import Parser, where_there
from fuzz.rooms.hives import hive_fields
from registry.test_recovery import new_dirty, old_dirty
from vmrescue.registry import Hive
from vmrescue.registry.base_block import LAYOUT as BASE_BLOCK
from vmrescue.registry.log_new import HASHED_HEADER, HEADER, PAGE_REFERENCE
from vmrescue.registry.marvin import marvin32

SIZES = struct.Struct("<III")
SECTOR = 512
CHECKSUM_AT = 508
OLD_SIGNATURE = b"DIRT"
HIVE_FIELDS = 40  # of the hive itself: the logs are what is fuzzed here
SEALED_ENTRIES = 16


@functools.cache
def seeds() -> list[Seed]:
    return where_there(lambda: _seed("new form", *new_dirty()), lambda: _seed("old form", *old_dirty()))


def _seed(name: str, hive: bytes, logs: list[bytes]) -> Seed:
    log1, log2 = (*logs, b"")[:2]
    data = SIZES.pack(len(hive), len(log1), len(log2)) + hive + log1 + log2
    start = SIZES.size
    fields = hive_fields(data, start)[:HIVE_FIELDS]
    for at, size in _logs(data):
        fields += of_construct(BASE_BLOCK, at, "log")
        fields += _entries(data, at, size)
        fields += [Field("old log.bitmap", place, 4) for place in range(at + SECTOR, min(at + size, at + 640), 4)]
    return Seed(name, data, fields, seal)


def _logs(data: bytes | bytearray) -> list[tuple[int, int]]:
    """(offset, size) of each log that lies in an input."""
    if len(data) < SIZES.size:
        return []
    hive, log1, log2 = SIZES.unpack_from(data)
    found = [(SIZES.size + hive, log1), (SIZES.size + hive + log1, log2)]
    return [(at, size) for at, size in found if size >= SECTOR and at + size <= len(data)]


def _entries(data: bytes, at: int, size: int) -> list[Field]:
    fields: list[Field] = []
    for place in range(at + SECTOR, at + size, SECTOR):
        if data[place : place + 4] == b"HvLE":
            fields += of_struct(HEADER, place, "entry", "signature size flags sequence bins_size pages")
            count = struct.unpack_from("<I", data, place + 20)[0]
            for number in range(min(count, 4)):
                fields += of_struct(PAGE_REFERENCE, place + HEADER.size + 8 * number, "page", "offset size")
    return fields


def seal(data: bytearray) -> None:
    """The checksums of all base blocks, and the hashes of the entries."""
    if len(data) < SIZES.size + SECTOR:
        return
    logs = _logs(data)
    for at in (SIZES.size, *(at for at, _ in logs)):
        _seal_base_block(data, at)
    for at, size in logs:
        place = at + SECTOR
        for _ in range(SEALED_ENTRIES):
            if data[place : place + 4] != b"HvLE" or place + HEADER.size > at + size:
                break
            length = struct.unpack_from("<I", data, place + 4)[0]
            body = data[place + HEADER.size : min(place + length, at + size)]
            data[place + 24 : place + 32] = _hash(bytes(body))
            data[place + 32 : place + 40] = _hash(bytes(data[place : place + HASHED_HEADER]))
            place += max(length // SECTOR * SECTOR, SECTOR)


_hash = functools.lru_cache(1000)(marvin32)  # most entries are as they were


def _seal_base_block(data: bytearray, at: int) -> None:
    total = 0
    for (number,) in struct.iter_unpack("<I", data[at : at + CHECKSUM_AT]):
        total ^= number
    struct.pack_into("<I", data, at + CHECKSUM_AT, {0: 1, 0xFFFFFFFF: 0xFFFFFFFE}.get(total, total))


def run(data: bytes) -> None:
    """Replays the logs; what comes of it is checked."""
    hive, log1, log2 = SIZES.unpack_from(data.ljust(SIZES.size, b"\0"))
    body = data[SIZES.size :]
    ends = hive, hive + log1, hive + log1 + log2
    Hive(body[: ends[0]], [body[ends[0] : ends[1]], body[ends[1] : ends[2]]]).check()


PARSERS = (Parser("hive-log", run, seeds),)
