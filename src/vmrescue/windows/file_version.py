"""Reads the version of a program or driver from its version resource, as Explorer shows it under Details.

Sources: Microsoft, "PE Format" (the resource section), VS_VERSIONINFO and VS_FIXEDFILEINFO.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from vmrescue.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST = 64 << 20  # most bytes of a file that is read for its version
VERSION, ANY = 16, None  # RT_VERSION; any name or language
_SECTION = struct.Struct("<8sIIIIIIHHI")
_DIRECTORY = struct.Struct("<IIHHHH")
_OPTIONAL = {0x10B: 96, 0x20B: 112}  # magic of the optional header -> offset of the table of directories in it
_RESOURCES = 2  # row of the resources in that table
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
    if data[:2] != b"MZ":
        raise FormatError("program", None, "the signature 'MZ'", data[:2])
    (pe,) = struct.unpack_from("<I", data, 0x3C)
    if data[pe : pe + 4] != b"PE\0\0":
        raise FormatError("program", None, "the signature 'PE'", data[pe : pe + 4])
    sections, optional_size = struct.unpack_from("<H12xH", data, pe + 6)
    (magic,) = struct.unpack_from("<H", data, pe + 24)
    if magic not in _OPTIONAL:
        raise FormatError("program", None, "a PE32 or PE32+ header", f"0x{magic:x}")
    row = pe + 24 + _OPTIONAL[magic] + 8 * _RESOURCES
    if row + 8 > pe + 24 + optional_size:
        raise _no_version("a table of directories with resources")
    wanted, _ = struct.unpack_from("<II", data, row)
    for number in range(sections):
        found = _SECTION.unpack_from(data, pe + 24 + optional_size + number * _SECTION.size)
        _, memory, address, size, start, *_ = found
        if wanted and address <= wanted < address + max(memory, size):
            return start + wanted - address, wanted, size - (wanted - address)
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
