"""Containers of other makers, made by qemu-img and libewf, read by dissect.hypervisor and dissect.evidence."""

from __future__ import annotations

import functools
import random
import struct
import subprocess

from fuzz import scratch
from fuzz.layouts import Field
from fuzz.mutation import Seed
from fuzz.parser import Parser, Refusals
from support.machine import need_tool, run
from support.memory_device import MemoryDevice
from vmrescue.image.containers.container import open_container

MIB = 1 << 20
SIZE = 2 * MIB
MOST = 3 * MIB
HEADERS = 4096  # bytes whose numbers are changed, by their place
TABLES = 256 << 10  # bytes in which further numbers are looked for
IMAGES = (
    ("vmdk", "subformat=monolithicSparse"),
    ("vmdk", "subformat=streamOptimized"),
    ("qcow2", "cluster_size=4096"),
    ("qcow2", "compat=0.10"),
    ("vdi", "static=off"),
)


@functools.cache
def seeds() -> list[Seed]:
    folder = scratch.folder()
    chance = random.Random(1)
    disk = bytearray(SIZE)
    for start in (0, 100_000, SIZE // 2, SIZE - 5000):
        disk[start : start + 4096] = bytes(2048) + chance.randbytes(2048)
    (folder / "disk.raw").write_bytes(disk)
    found = []
    for kind, option in IMAGES:
        target = folder / f"{kind}-{option}"
        run("qemu-img", "convert", "-O", kind, "-o", option, folder / "disk.raw", target)
        found.append(_seed(f"{kind} {option}", target.read_bytes()))
    command = [need_tool("ewfacquire"), "-u", "-c", "fast", "-t", "case", "disk.raw"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
    return [*found, _seed("E01", (folder / "case.E01").read_bytes())]


def _seed(name: str, data: bytes) -> Seed:
    """Without layouts of ours the numbers have no names: all that is not zero in the headers and tables counts."""
    order = "big" if name.startswith("qcow2") else "little"
    heads = [at for at in range(0, min(HEADERS, len(data) - 8), 4) if any(data[at : at + 4])]
    tables = [at for at in range(0, min(len(data), 8 * MIB) - 8, 4096) if any(data[at : at + 8])]
    regions = [at for at in range(64 << 10, min(len(data) - 8, TABLES * 4), 4) if struct.unpack_from("<I", data, at)[0]]
    places = [*heads * 4, *tables, *regions[:512]]
    fields = [Field(f"byte {at:#x}", at, size, order) for at in places for size in (4, 8)]  # type: ignore[arg-type]
    return Seed(name, data, fields)


def read(data: bytes) -> None:
    """Reads the disk here and there, in one go where it is small."""
    refused = Refusals()
    disk = open_container(MemoryDevice(data), None)
    with refused.allowed():
        disk.read_at(0, min(disk.size, MOST))
    with refused.allowed():
        disk.read_at(max(0, disk.size - MIB), min(disk.size, MIB))
    with refused.allowed():
        disk.read_at(disk.size // 2 // 512 * 512, min(disk.size // 2, 512))
    disk.close()
    refused.tell()


PARSERS = (Parser("foreign", read, seeds),)
