"""The headers of a program: whether it is whole, for which machine, and where its parts are. They are only read.

Source: Microsoft, "PE Format".
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from vmrescue.dataclass import dataclass
from vmrescue.errors import FormatError

HEAD, FIRST = 4096, 1024  # bytes of a file that hold its headers, and that hold those of nearly all
MACHINES = {0x8664: "x64", 0x014C: "x86", 0xAA64: "ARM64", 0x01C4: "ARM"}
_PE_AT = 0x3C
_COFF = struct.Struct("<4sHHIIIHH")  # signature, machine, sections, time, symbols, their count, optional size, kind
_SECTION = struct.Struct("<8sIIIIIIHHI")  # name, size in memory, address, size in the file, place in the file, …
_SIZES_AT = 56  # of the optional header: size of the image, size of the headers, checksum
_DIRECTORIES_AT = {0x10B: 96, 0x20B: 112}  # of the optional header, by its magic: (address, size) of each
_RESOURCES = 2  # the number of that directory


class Section(NamedTuple):
    """A section: where it is in memory, and in the file; in bytes."""

    address: int
    memory_size: int
    start: int
    size: int


@dataclass(frozen=True)
class Program:
    """A program's headers.

    Attributes:
        machine: ``x64``, ``x86``, ``ARM64``; a number for others.
        image_size: bytes in memory.
        checksum: as it is written there; 0 where there is none.
        sections: in the file's order.
        resources: where in memory its resources are; 0 where it has none.
        end: the first byte behind all that its sections hold in the file.
    """

    machine: str
    image_size: int
    checksum: int
    sections: tuple[Section, ...]
    resources: int
    end: int


def read_program(head: bytes) -> Program:
    """The headers in a file's first bytes. Raises FormatError where these are no program's."""
    if head[:2] != b"MZ" or len(head) < _PE_AT + 4:
        raise FormatError("program", None, "the signature 'MZ'", head[:2])
    at = int.from_bytes(head[_PE_AT : _PE_AT + 4], "little")
    if at + _COFF.size + _SIZES_AT + 12 > len(head):
        raise FormatError("program", None, f"headers in its first {len(head)} bytes", f"a place {at}")
    signature, machine, count, _, _, _, optional_size, _ = _COFF.unpack_from(head, at)
    if signature != b"PE\0\0":
        raise FormatError("program", None, "the signature 'PE'", signature)
    optional = at + _COFF.size
    magic = int.from_bytes(head[optional : optional + 2], "little")
    if magic not in _DIRECTORIES_AT:
        raise FormatError("program", None, "a PE32 or PE32+ header", f"0x{magic:x}")
    image_size, headers_size, checksum = struct.unpack_from("<3I", head, optional + _SIZES_AT)
    table = optional + optional_size
    if table + count * _SECTION.size > len(head):
        raise FormatError("program", None, f"{count} sections in its first {len(head)} bytes", "fewer")
    found = (_SECTION.unpack_from(head, table + number * _SECTION.size) for number in range(count))
    sections = tuple(Section(address, memory, start, size) for _, memory, address, size, start, *_ in found)
    row = optional + _DIRECTORIES_AT[magic] + 8 * _RESOURCES
    resources = int.from_bytes(head[row : row + 4], "little") if row + 8 <= table else 0
    end = max([headers_size, *(each.start + each.size for each in sections if each.size)])
    name = MACHINES.get(machine, f"machine 0x{machine:04x}")
    return Program(name, image_size, checksum, sections, resources, end)
