"""The headers of a program: whether it is whole, and for which machine. Only read, and only the file's first bytes.

Source: Microsoft, "PE Format".
"""

from __future__ import annotations

import struct

from vmrescue.dataclass import dataclass
from vmrescue.errors import FormatError

HEAD, FIRST = 4096, 1024  # bytes of a file that hold its headers, and that hold those of nearly all
MACHINES = {0x8664: "x64", 0x014C: "x86", 0xAA64: "ARM64", 0x01C4: "ARM"}
_PE_AT = 0x3C
_COFF = struct.Struct("<4sHHIIIHH")  # signature, machine, sections, time, symbols, their count, optional size, kind
_SECTION = struct.Struct("<8sIIIIIIHHI")  # name, size in memory, address, size in the file, place in the file, …
_MAGIC = {0x10B: "PE32", 0x20B: "PE32+"}
_SIZES_AT = 56  # of the optional header: size of the image, size of the headers, checksum


@dataclass(frozen=True)
class Program:
    """A program's headers.

    Attributes:
        machine: ``x64``, ``x86``, ``ARM64``; a number for others.
        image_size: bytes in memory.
        checksum: as it is written there; 0 where there is none.
        end: the first byte behind all that its sections hold in the file.
    """

    machine: str
    image_size: int
    checksum: int
    end: int


def read_program(head: bytes) -> Program:
    """The headers in a file's first bytes. Raises FormatError where these are no program's."""
    if head[:2] != b"MZ" or len(head) < _PE_AT + 4:
        raise FormatError("program", None, "the signature 'MZ'", head[:2])
    at = int.from_bytes(head[_PE_AT : _PE_AT + 4], "little")
    if at + _COFF.size + _SIZES_AT + 12 > len(head):
        raise FormatError("program", None, f"headers in its first {len(head)} bytes", f"a place {at}")
    signature, machine, sections, _, _, _, optional_size, _ = _COFF.unpack_from(head, at)
    if signature != b"PE\0\0":
        raise FormatError("program", None, "the signature 'PE'", signature)
    optional = at + _COFF.size
    magic = int.from_bytes(head[optional : optional + 2], "little")
    if magic not in _MAGIC:
        raise FormatError("program", None, "a PE32 or PE32+ header", f"0x{magic:x}")
    image_size, headers_size, checksum = struct.unpack_from("<3I", head, optional + _SIZES_AT)
    end = headers_size
    for number in range(sections):
        place = optional + optional_size + number * _SECTION.size
        if place + _SECTION.size > len(head):
            raise FormatError("program", None, f"{sections} sections in its first {len(head)} bytes", "fewer")
        _, _, _, size, start, *_ = _SECTION.unpack_from(head, place)
        end = max(end, start + size if size else 0)
    return Program(MACHINES.get(machine, f"machine 0x{machine:04x}"), image_size, checksum, end)
