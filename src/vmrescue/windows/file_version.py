"""Reads the version of a program or driver from its version resource, as Explorer shows it under Details.

Sources: Microsoft, "PE Format" (the resource section), VS_VERSIONINFO and VS_FIXEDFILEINFO.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from vmrescue.errors import FormatError
from vmrescue.windows.pe import read_program

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST = 64 << 20  # most bytes of a file that is read for its version
VERSION, ANY = 16, None  # RT_VERSION; any name or language
_DIRECTORY = struct.Struct("<IIHHHH")
_KEY = "VS_VERSION_INFO\0".encode("utf-16-le")
_FIXED = 0xFEEF04BD
BELOW = 1 << 31  # bit of an offset: it leads to a directory, not to a leaf


def file_version(data: bytes) -> tuple[int, int, int, int]:
    """The four numbers of the file's version. Raises FormatError if it is no program or has no version."""
    try:
        start, base, size = _resources(data)
        table = data[start : start + size]
        kind = _entry(table, 0, VERSION)
        place = _entry(table, _entry(table, kind, ANY), ANY)
        address, length = struct.unpack_from("<II", table, place)
        info = table[address - base : address - base + length] if address >= base else b""
        return _fixed(info)
    except struct.error as error:
        raise _no_version("structures within the file") from error


def _resources(data: bytes) -> tuple[int, int, int]:
    """The resources' offset in the file, address in memory, and length in bytes."""
    program = read_program(data)
    for section in program.sections:
        inside = program.resources - section.address
        if program.resources and 0 <= inside < max(section.memory_size, section.size):
            return section.start + inside, program.resources, section.size - inside
    raise _no_version("a section with resources")


def _entry(table: bytes, place: int, wanted: int | None) -> int:
    """The offset that an entry of a directory leads to: the entry with number `wanted`, or the first."""
    for number, target in _entries(table, place):
        if wanted is None or number == wanted:
            return target & ~BELOW
    raise _no_version("a version among its resources")


def _entries(table: bytes, place: int) -> Iterator[tuple[int, int]]:
    *_, named, numbered = _DIRECTORY.unpack_from(table, place)
    for index in range(named + numbered):
        number, target = struct.unpack_from("<II", table, place + _DIRECTORY.size + 8 * index)
        yield number, target


def _fixed(info: bytes) -> tuple[int, int, int, int]:
    if info[6 : 6 + len(_KEY)] != _KEY:
        raise _no_version("VS_VERSION_INFO")
    signature, _, high, low = struct.unpack_from("<IIII", info, (6 + len(_KEY) + 3) & ~3)
    if signature != _FIXED:
        raise _no_version("VS_FIXEDFILEINFO")
    return high >> 16, high & 0xFFFF, low >> 16, low & 0xFFFF


def _no_version(expected: str) -> FormatError:
    return FormatError("version of a program", None, expected)
