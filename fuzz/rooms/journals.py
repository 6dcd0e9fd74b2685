"""Undo journals, which are read back and written into the image."""

from __future__ import annotations

import functools
import hashlib
import random
from typing import TYPE_CHECKING

from fuzz import scratch
from fuzz.layouts import Field, of_struct
from fuzz.mutation import Seed
from fuzz.parser import Parser, Refusals
from support.memory_device import MemoryDevice
from vmrescue.errors import VmRescueError
from vmrescue.image.journal_file import END, HEADER, RANGE, REGION, SIGN, cut_ranges, read_journal, write_journal
from vmrescue.image.overlay import Overlay
from vmrescue.image.signs import Sign

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 64 << 10
HEADER_FIELDS = "magic created before after unique_id witness"
REGION_FIELDS = "tag offset before after old new"
SIGN_FIELDS = "tag label ranges hash"
SIGNS = [Sign("a table", ((20_000, 3000), (30_000, 5000))), Sign("what cannot be looked at", ())]


@functools.cache
def _folder() -> Path:
    return scratch.folder()


@functools.cache
def image() -> bytes:
    return random.Random(2).randbytes(SIZE)


@functools.cache
def seeds() -> list[Seed]:
    return [_seed("same size", SIZE), _seed("longer", SIZE + 5000), _seed("shorter", SIZE - 5000)]


def _seed(name: str, size: int) -> Seed:
    device = MemoryDevice(image())
    overlay = Overlay(device)
    overlay.resize(size)
    for at in (0, 10_000, 50_000):
        overlay.write_at(at, b"changed" * 40)
    path = _folder() / f"{name}.tmp"
    write_journal(path, device, overlay, cut_ranges(device, overlay), bytes(16), 1_700_000_000, SIGNS)
    overlay.close()
    data = path.read_bytes()
    fields = list(of_struct(HEADER, 0, "header", HEADER_FIELDS)) * 2
    at = HEADER.size
    while data[at : at + 4] == b"REGN":
        region = list(of_struct(REGION, at, "region", REGION_FIELDS))
        fields += region * 2
        at += REGION.size + Field("before", at + 12, 4).read(data)
    while data[at : at + 4] == b"SIGN":
        sign = list(of_struct(SIGN, at, "sign", SIGN_FIELDS))
        label, ranges = (Field("length", at + place, 4).read(data) for place in (4, 8))
        at += SIGN.size + label
        for number in range(min(ranges, 3)):
            sign += of_struct(RANGE, at + number * RANGE.size, "range", "offset length")
        fields += sign * 2
        at += ranges * RANGE.size
    return Seed(name, data, [*fields, *of_struct(END, at, "end", "tag regions hash")], seal)


def seal(data: bytearray) -> None:
    """The hash of all that precedes the end record, where that still lies at the end."""
    at = len(data) - END.size
    if at >= 0 and data[at : at + 4] == b"DONE":
        data[at + 12 :] = hashlib.sha256(data[:at]).digest()


def run(data: bytes) -> None:
    """Reads it, and does with it what opening an image with a hot journal does."""
    path = _folder() / "0001.hot"
    path.write_bytes(data)
    refused = Refusals()
    with refused.allowed():
        journal = read_journal(path)
        device = MemoryDevice(image())
        with Refusals().allowed():
            journal.check_untouched(device)
        with refused.allowed():
            journal.check_identity(device)
        journal.compare(device)
        before = bytes(device.data)
        view = Overlay(device)
        try:
            with refused.allowed():
                journal.restore(view)
        except VmRescueError:
            assert device.data == before
            raise
        finally:
            view.close()
    refused.tell()


PARSERS = (Parser("journal", run, seeds),)
