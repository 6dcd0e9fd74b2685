"""VHDs: fixed, dynamic, differencing."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from disk.images import BLOCK, make_image
from fuzz import scratch
from fuzz.layouts import Field, of_construct
from fuzz.mutation import Seed
from fuzz.parser import Parser, Refusals, where_there
from support.memory_device import MemoryDevice
from support.real_data import corpus
from vmrescue.disk.container import open_container
from vmrescue.disk.overlay import Overlay
from vmrescue.disk.vhd_layout import FOOTER, FOOTER_CHECKSUM_AT, HEADER, HEADER_CHECKSUM_AT, sealed

if TYPE_CHECKING:
    from pathlib import Path

SECTOR, HEADER_AT, TABLE_AT = 512, 512, 1536
MOST = 1 << 20  # bytes read at once


@functools.cache
def folder() -> Path:
    """Where the differencing disk's parent lies."""
    return scratch.folder()


@functools.cache
def seeds() -> list[Seed]:
    found = []
    for container in ("fixed", "dynamic", "differencing"):
        place = folder() if container == "differencing" else scratch.folder()
        found.append(vhd_seed(container, make_image(place, container).read_bytes()))
    return [*found, *where_there(lambda: vhd_seed("dynamic by Windows", corpus("vhd/image.vhd")))]


def vhd_seed(name: str, data: bytes) -> Seed:
    fields = list(of_construct(FOOTER, len(data) - SECTOR, "footer"))
    if data.startswith(b"conectix"):
        fields += of_construct(FOOTER, 0, "footer copy")
        fields += of_construct(HEADER, HEADER_AT, "header")
        fields += [Field(f"table[{number}]", TABLE_AT + 4 * number, 4, "big") for number in range(8)] * 2
    return Seed(name, data, fields, seal)


def seal(data: bytearray) -> None:
    if len(data) >= SECTOR:
        data[-SECTOR:] = sealed(bytes(data[-SECTOR:]), FOOTER_CHECKSUM_AT)
    if data.startswith(b"conectix") and len(data) > TABLE_AT:
        data[:SECTOR] = sealed(bytes(data[:SECTOR]), FOOTER_CHECKSUM_AT)
        data[HEADER_AT:TABLE_AT] = sealed(bytes(data[HEADER_AT:TABLE_AT]), HEADER_CHECKSUM_AT)


def run(data: bytes) -> None:
    """Opens it, reads and writes here and there, makes it longer."""
    store = Overlay(MemoryDevice(data))
    refused = Refusals()
    try:
        disk = open_container(store, str(folder() / "disk"))
        with refused.allowed():
            disk.read_at(0, min(disk.size, MOST))
        with refused.allowed():
            disk.write_at(max(0, min(disk.size, MOST) - BLOCK), b"x" * min(disk.size, BLOCK))
        with refused.allowed():
            disk.read_at(max(0, disk.size - MOST), min(disk.size, MOST))
        with Refusals().allowed():
            disk.resize(disk.size + (1 << 20))
            disk.write_at(disk.size - SECTOR, bytes([1]) * SECTOR)
            disk.flush()
        disk.close()
    finally:
        store.close()
    refused.tell()


PARSERS = (Parser("vhd", run, seeds),)
