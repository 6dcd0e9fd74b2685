"""VHDs: fixed, dynamic, differencing; read and written by us, and read by libvhdi, which has to confirm a repair."""

from __future__ import annotations

import functools
from contextlib import closing
from typing import TYPE_CHECKING

from fuzz import scratch
from fuzz.layouts import Field, of_construct
from fuzz.mutation import Seed
from fuzz.parser import Parser, Refusals, where_there
from image.images import BLOCK, fill, make_image
from support.memory_device import MemoryDevice
from support.real_data import corpus
from vmrescue.disk import open_disk
from vmrescue.image.containers.container import open_container
from vmrescue.image.containers.vhd_create import create_differencing, create_dynamic, create_fixed
from vmrescue.image.containers.vhd_layout import FOOTER, FOOTER_CHECKSUM_AT, HEADER, HEADER_CHECKSUM_AT, sealed
from vmrescue.image.overlay import Overlay
from vmrescue.image.reference import Reference
from vmrescue.transaction.committed import compare_committed, must_be_confirmable

if TYPE_CHECKING:
    from pathlib import Path

SECTOR, HEADER_AT, TABLE_AT = 512, 512, 1536
MOST = 1 << 20  # bytes read at once
JUDGED_SIZE, JUDGED_BLOCK = 1200 << 10, 512 << 10  # bytes


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


@functools.cache
def judged_seeds() -> list[Seed]:
    """With blocks of a size that real disks have: libvhdi 20240509 misreads smaller ones."""
    fixed, dynamic, parent, child = (folder() / name for name in ("fixed", "dynamic", "base", "child"))
    create_fixed(fixed, JUDGED_SIZE)
    create_dynamic(dynamic, JUDGED_SIZE, JUDGED_BLOCK)
    create_dynamic(parent, JUDGED_SIZE, JUDGED_BLOCK)
    fill(parent)
    create_differencing(parent, child, JUDGED_BLOCK)
    for path in (fixed, dynamic, child):
        fill(path)
    found = [vhd_seed(path.name, path.read_bytes()) for path in (fixed, dynamic, child)]
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


def run_judge(data: bytes) -> None:
    """What libvhdi is asked before and after a repair, for a disk that we have opened: both ends of it, compared."""
    image = folder() / "judged"
    image.write_bytes(data)
    place = Reference.of(image)
    with closing(open_disk(place)) as disk:
        must_be_confirmable(place, disk)
        size = min(disk.size, MOST)
        compare_committed(place, disk, [(0, size), (disk.size - size, size)])


PARSERS = (Parser("vhd", run, seeds), Parser("vhd-judge", run_judge, judged_seeds))
