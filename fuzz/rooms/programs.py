"""The headers of a program, and the version that its resources tell."""

from __future__ import annotations

import functools

from fuzz.mutation import Seed
from fuzz.parser import Parser
from stub_pe import stub, versioned
from vmrescue.windows.file_version import file_version
from vmrescue.windows.pe import read_program


@functools.cache
def with_versions() -> list[Seed]:
    return [
        Seed("with a version", versioned(10, 0, 17763, 1)),
        Seed("for x86", versioned(6, 1, 1, 2, machine="x86")),
        Seed("signed: something behind the sections", versioned(10, 0, 17763, 1) + bytes(512)),
    ]


@functools.cache
def programs() -> list[Seed]:
    arm, old = stub("a.sys", machine="arm64"), stub("a.sys", machine="x86")
    made = [Seed("a driver", stub("a.sys")), Seed("a library", stub("a.dll")), Seed("for ARM64", arm), Seed("old", old)]
    return [*made, Seed("headers far behind", far_headers()), *with_versions()]


def far_headers() -> bytes:
    """With a long program for MS-DOS before them, as some installers have."""
    data = stub("a.sys")
    gap = bytes(0x200)
    return data[:0x3C] + (0x80 + len(gap)).to_bytes(4, "little") + data[0x40:0x80] + gap + data[0x80:]


def run_program(data: bytes) -> None:
    """What is read lies in the bounds of its fields."""
    program = read_program(data)
    assert program.machine
    assert 0 <= program.end < 1 << 33


def run_version(data: bytes) -> None:
    assert all(0 <= number < 1 << 16 for number in file_version(data))


PARSERS = (
    Parser("program", run_program, programs),
    Parser("file-version", run_version, with_versions),
)
