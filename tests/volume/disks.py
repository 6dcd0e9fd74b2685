"""Disks partitioned by sgdisk and sfdisk, of which no byte was written by vmrescue."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from support.machine import need_root, run

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1 << 20

# The layout that Windows Setup gives a generation 2 VM, smaller.
GENERATION_2 = (
    "--disk-guid=D5A1F6E2-6E7C-4B5C-9B65-0A3E3B5E7C11",
    "-n1:2048:+4M", "-t1:EF00", "-c1:EFI system partition", "-u1:11111111-2222-3333-4444-555555555555",
    "-n2:0:+1M", "-t2:0C01", "-c2:Microsoft reserved partition",
    "-n3:0:+8M", "-t3:0700", "-c3:Basic data partition",
    "-n4:0:+2M", "-t4:2700", "-A4:set:0", "-A4:set:63",
)  # fmt: skip

# A generation 1 VM's: System Reserved is active; then an extended partition with three logical ones.
GENERATION_1 = """label: dos
label-id: 0x1a2b3c4d
start=2048, size=4096, type=7, bootable
start=6144, size=8192, type=7
start=14336, size=26624, type=f
start=16384, size=2048, type=7
start=20480, size=4096, type=c
start=28672, size=8192, type=27
"""


def blank(path: Path, size: int = 32 * MIB) -> Path:
    with path.open("wb") as image:
        image.truncate(size)
    return path


def gpt_disk(path: Path, *options: str, size: int = 32 * MIB) -> Path:
    """A disk that sgdisk partitioned, as a generation 2 VM's unless told otherwise."""
    path.write_bytes(_partitioned_by_sgdisk(options or GENERATION_2, size))
    return path


@cache
def _partitioned_by_sgdisk(options: tuple[str, ...], size: int) -> bytes:
    """Kept, since sgdisk sleeps for a second after each write."""
    with TemporaryDirectory() as folder:
        path = blank(Path(folder) / "disk.img", size)
        run("sgdisk", *options, path)
        return path.read_bytes()


def mbr_disk(path: Path, script: str = GENERATION_1, size: int = 32 * MIB) -> Path:
    """A disk that sfdisk partitioned, as a generation 1 VM's unless told otherwise."""
    run("sfdisk", "-q", blank(path, size), stdin=script.encode())
    return path


def ntfs_volume(path: Path, *options: str, size: int = 8 * MIB) -> Path:
    run("mkntfs", "-q", "-F", *options, blank(path, size))
    return path


@contextmanager
def loop_device(path: Path, sector_size: int) -> Iterator[str]:
    """The image as a block device with sectors of that size."""
    need_root()
    loop = run("losetup", "-f", "--show", "-b", str(sector_size), path).strip()
    try:
        yield loop
    finally:
        run("losetup", "-d", loop)
