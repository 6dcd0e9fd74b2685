"""Programs that do nothing: whole PE32+ files with right headers, made byte by byte, so that no foreign file is needed.

Source: Microsoft, "PE Format". A stub has headers, one section of code (a return), and the checksum that a loader
compares. It is as long as its headers say.
"""

from __future__ import annotations

import struct

MACHINES = {"x64": 0x8664, "x86": 0x014C, "arm64": 0xAA64}
NATIVE, EFI_APPLICATION, BOOT_APPLICATION, WINDOWS_GUI = 1, 10, 16, 2  # subsystems
PE_AT, HEADERS, UNIT, PAGE = 0x80, 0x400, 0x200, 0x1000
CHECKSUM_AT = PE_AT + 4 + 20 + 64
EXECUTABLE, LARGE_ADDRESSES, DLL = 0x0002, 0x0020, 0x2000
CODE = 0x60000020  # a section that is code, executed and read
RETURN = b"\xc3"


def stub(name: str, subsystem: int = NATIVE, machine: str = "x64") -> bytes:
    """A program whose only code is a return; its name stands behind it, so that no two files are alike."""
    code = (RETURN + name.encode("ascii") + b"\0").ljust(UNIT, b"\xcc")
    kind = EXECUTABLE | LARGE_ADDRESSES | (DLL if name.lower().endswith(".dll") else 0)
    dos = struct.pack("<2s58xI", b"MZ", PE_AT).ljust(PE_AT, b"\0")
    coff = struct.pack("<4sHHIIIHH", b"PE\0\0", MACHINES[machine], 1, 0, 0, 0, 240, kind)
    optional = struct.pack(
        "<HBBIIIII QII HHHHHH IIII HH QQQQ II",
        0x20B, 14, 0, len(code), 0, 0, PAGE, PAGE,  # magic, linker, sizes, entry point, base of code
        0x140000000, PAGE, UNIT,  # image base, alignment in memory and in the file
        10, 0, 10, 0, 10, 0,  # versions of the system, the image and the subsystem
        0, 2 * PAGE, HEADERS, 0,  # reserved, size of the image, of the headers, checksum
        subsystem, 0x160, 1 << 18, PAGE, 1 << 20, PAGE,  # and what it may be loaded as; stack and heap
        0, 16,
    ).ljust(240, b"\0")  # fmt: skip
    section = struct.pack("<8sIIIIIIHHI", b".text", len(code), PAGE, len(code), HEADERS, 0, 0, 0, 0, CODE)
    image = bytearray((dos + coff + optional + section).ljust(HEADERS, b"\0") + code)
    struct.pack_into("<I", image, CHECKSUM_AT, checksum(image))
    return bytes(image)


def checksum(image: bytes | bytearray) -> int:
    """The checksum of a file in which its own field is zero: the sum of 16-bit words with carry, and the length."""
    total = 0
    for (word,) in struct.iter_unpack("<H", image):
        total += word
        total = (total & 0xFFFF) + (total >> 16)
    return total + len(image)


def versioned(*numbers: int, machine: str = "x64") -> bytes:
    """A program of headers and a version resource alone: ``10, 0, 17763, 1``.

    Source: Microsoft, "PE Format" (the resource section), VS_VERSIONINFO, VS_FIXEDFILEINFO.
    """
    high, low = numbers[0] << 16 | numbers[1], numbers[2] << 16 | numbers[3]
    fixed = struct.pack("<13I", 0xFEEF04BD, 0x10000, high, low, high, low, *[0] * 7)
    info = struct.pack("<3H", 92, 52, 0) + "VS_VERSION_INFO\0".encode("utf-16-le") + bytes(2) + fixed
    levels = b"".join(
        struct.pack("<IIHHHH", 0, 0, 0, 0, 0, 1) + struct.pack("<II", name, target)
        for name, target in ((16, 1 << 31 | 24), (1, 1 << 31 | 48), (0x409, 72))
    )
    resources = levels + struct.pack("<4I", PAGE + 88, len(info), 0, 0) + info
    optional = struct.pack("<H110x", 0x20B) + bytes(16) + struct.pack("<II", PAGE, len(resources)) + bytes(104)
    section = struct.pack("<8s6I2HI", b".rsrc", len(resources), PAGE, len(resources), UNIT, 0, 0, 0, 0, 0)
    coff = struct.pack("<4s2H3I2H", b"PE\0\0", MACHINES[machine], 1, 0, 0, 0, len(optional), EXECUTABLE)
    head = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40) + coff + optional + section
    return head.ljust(UNIT, b"\0") + resources
