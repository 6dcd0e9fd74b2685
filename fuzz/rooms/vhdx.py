"""VHDX: fixed, dynamic, differencing, and with a log that was left; read and written by us, and read by libvhdi."""

from __future__ import annotations

import functools
import struct
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from google_crc32c import value as crc32c

from fuzz import scratch
from fuzz.layouts import Field, of_struct
from fuzz.mutation import Seed
from fuzz.parser import Parser, Refusals
from fuzz.rooms.containers import run_judge
from support.memory_device import MemoryDevice
from support.vhdx import HEADERS, METADATA, REGION_TABLES, SECTOR, Data, log_entry, put_log, region
from vmrescue.disk import create_vhdx, create_vhdx_child, open_disk
from vmrescue.image.containers.container import open_container
from vmrescue.image.containers.vhdx import layout
from vmrescue.image.containers.vhdx.back import steps_back
from vmrescue.image.overlay import Overlay

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20
SIZE = 3 * MIB
LOG_AT = MIB  # where our files have it
GUID = b"\7" * 16
MOST = 1 << 20  # bytes read at once
HEADER = "signature checksum sequence file-write data-write log log-version version log-length log-offset"
REGION = "kind offset length required"
DESCRIPTOR = "signature trailing leading offset sequence"
ENTRY = "signature checksum length tail sequence descriptors log flushed last"


@functools.cache
def folder() -> Path:
    """Where the differencing disk's parent lies."""
    return scratch.folder()


@functools.cache
def seeds() -> list[Seed]:
    return [*judged_seeds(), seed("with a log", with_log((folder() / "dynamic.vhdx").read_bytes()))]


@functools.cache
def judged_seeds() -> list[Seed]:
    """Those that libvhdi reads as we do: it replays no log. VHDs lie beside them, none by these names."""
    fixed, dynamic, child = (folder() / name for name in ("fixed.vhdx", "dynamic.vhdx", "disk"))
    create_vhdx(fixed, SIZE, MIB, fixed=True)
    create_vhdx(dynamic, SIZE, MIB)
    for path in (fixed, dynamic):
        fill(path, 0)
    create_vhdx_child(dynamic, child, MIB)
    fill(child, 7000)
    return [seed(path.name, path.read_bytes()) for path in (fixed, dynamic, child)]


def fill(path: Path, shift: int) -> None:
    with closing(open_disk(path, writable=True)) as disk:
        for at in (0, 2 * MIB):
            disk.write_at(at + shift, bytes(range(1, 256)) * 30)


def with_log(data: bytes) -> bytes:
    """Two entries, which write the table's first sector as it is."""
    raw = bytearray(data)
    table = 3 * MIB
    sector = bytes(raw[table : table + SECTOR])
    entries = {
        number * 2 * SECTOR: log_entry(GUID, number + 1, 0, [Data(table, sector)], len(raw), len(raw))
        for number in (0, 1)
    }
    put_log(raw, GUID, entries)
    return bytes(raw)


def seed(name: str, data: bytes) -> Seed:
    fields: list[Field] = []
    for at in HEADERS:
        fields += of_struct(layout.HEADER, at, "header", HEADER)
    for at in REGION_TABLES:
        fields += of_struct(layout.REGION_HEAD, at, "regions", "signature checksum entries")
        for number in (0, 1):
            fields += of_struct(layout.REGION, at + 16 + 32 * number, f"region[{number}]", REGION)
    metadata, _ = region(data, METADATA)
    fields.append(Field("metadata.entries", metadata + 10, 2))
    for number in range(6):
        row = metadata + 32 + 32 * number
        fields += of_struct(layout.METADATA_ENTRY, row, f"item[{number}]", "item offset length flags")
    fields += [Field(f"items[{number}]", metadata + (64 << 10) + 4 * number, 4) for number in range(24)]
    table, _ = region(data, layout.BAT_REGION)
    fields += [Field(f"table[{number}]", table + 8 * number, 8) for number in (0, 1, 2, 3, 8192)] * 3
    for at in (LOG_AT, LOG_AT + 2 * SECTOR):
        fields += of_struct(layout.LOG_HEAD, at, "log", ENTRY)
        fields += of_struct(layout.DESCRIPTOR, at + layout.LOG_HEAD.size, "descriptor", DESCRIPTOR)
    return Seed(name, data, fields, seal)


def seal(data: bytearray) -> None:
    """Makes the checksums of headers, region tables and log entries right."""
    for at, size in (*((at, SECTOR) for at in HEADERS), *((at, 64 << 10) for at in REGION_TABLES)):
        _seal(data, at, size)
    for at in (LOG_AT, LOG_AT + 2 * SECTOR):
        with suppress(struct.error):
            length = struct.unpack_from("<I", data, at + 8)[0]
            if data[at : at + 4] == b"loge" and length <= MIB:
                _seal(data, at, length)


def _seal(data: bytearray, at: int, size: int) -> None:
    if at + size <= len(data) and size >= 8:
        data[at + 4 : at + 8] = bytes(4)
        data[at + 4 : at + 8] = crc32c(bytes(data[at : at + size])).to_bytes(4, "little")


def run(data: bytes) -> None:
    """Opens it, reads and writes here and there, makes it longer, and asks for the steps of a commit and an undo."""
    image = MemoryDevice(data)
    store = Overlay(image)
    refused = Refusals()
    try:
        disk = open_container(store, str(folder() / "disk"))
        with refused.allowed():
            disk.read_at(0, min(disk.size, MOST))
        with refused.allowed():
            disk.read_at(max(0, disk.size - MOST), min(disk.size, MOST))
        with refused.allowed():
            disk.next_data(min(MIB, disk.size))
        with refused.allowed():
            disk.write_at(min(disk.size, MIB) // 2, b"x")
            disk.write_at(disk.size - 1, b"y")
            disk.commit_steps(image)
        with Refusals().allowed():
            disk.resize(disk.size + (2 << 20))
            disk.write_at(disk.size - 1, b"z")
            disk.commit_steps(image)
            with closing(Overlay(image)) as old:
                steps_back(store, old, store.changed_ranges())
        disk.close()
    finally:
        store.close()
    refused.tell()


PARSERS = (Parser("vhdx", run, seeds), Parser("vhdx-judge", run_judge, judged_seeds))
