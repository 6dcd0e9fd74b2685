"""Small images in every container, and changes to them, for the tests of the journal."""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING

from vmrescue.disk import open_disk
from vmrescue.image.containers.vhd_create import create_differencing, create_dynamic, create_fixed

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.disk import VirtualDisk

KIB = 1024
SIZE = 300 * KIB
BLOCK = 64 * KIB
CONTAINERS = ("raw", "fixed", "dynamic", "differencing")


def make_image(folder: Path, container: str) -> Path:
    """A disk of `SIZE` bytes, partly filled; of the dynamic ones some blocks are there, some are not."""
    path = folder / "disk"
    if container == "raw":
        path.write_bytes(bytes(SIZE))
    elif container == "fixed":
        create_fixed(path, SIZE)
    elif container == "dynamic":
        create_dynamic(path, SIZE, BLOCK)
    else:
        parent = folder / "parent.vhd"
        create_dynamic(parent, SIZE, BLOCK)
        fill(parent)
        create_differencing(parent, path, BLOCK)
    fill(path)
    return path


def fill(path: Path) -> None:
    chance = random.Random(path.name)
    disk = open_disk(path, writable=True)
    for offset in (0, 70 * KIB, 140 * KIB):
        disk.write_at(offset, chance.randbytes(40 * KIB))
    disk.close()


def change(disk: VirtualDisk) -> None:
    """Edits like those of a repair: small ones, across blocks, and where the container has no block yet."""
    chance = random.Random(4)
    disk.write_at(5000, b"a small edit")
    disk.write_at(9000, bytes(3000))
    disk.write_at(BLOCK - 700, chance.randbytes(1400))
    disk.write_at(200 * KIB + 7, chance.randbytes(5000))
    disk.write_at(SIZE - 3, b"end")


def grow(disk: VirtualDisk) -> None:
    disk.resize(3 * SIZE)
    disk.write_at(2 * SIZE, b"far")


def content(path: Path) -> str:
    """The SHA-256 of the disk's content and size."""
    disk = open_disk(path)
    digest = hashlib.sha256(disk.read_at(0, disk.size)).hexdigest()
    disk.close()
    return digest


def tree(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
