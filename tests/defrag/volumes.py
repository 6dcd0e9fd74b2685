"""Volumes fragmented on purpose, by ntfs-3g alone; and what is left of the fragments."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

from ntfs.volumes import MIB, format_volume
from support.ntfs_judges import mounted
from vmrescue.image.transports.file import FileDevice
from vmrescue.ntfs.defrag.fragmentation import Fragmentation, read_fragmentation
from vmrescue.ntfs.defrag.layout import Placed, read_layout
from vmrescue.ntfs.store import FileStore

if TYPE_CHECKING:
    from pathlib import Path

SIZES = (700, 3000, 5000, 9000, 20_000)  # bytes of a small file
FOLDERS = 17
LARGE = 6  # at least so many files are written in turn, a bit of each, to what the small ones left
SMALL_FOR_EACH = 25  # and one for so many small ones
BIT = 9000  # bytes
SHARE = 0.6  # of the free space that they take


def fragmented(path: Path, size: int = 48 * MIB, cluster: int = 4096, sector: int = 512, files: int = 1200) -> Path:
    """Small files fill the volume, every second goes, and large ones are written in turn into the holes."""
    format_volume(path, size // cluster * cluster, cluster, sector)
    chance = random.Random(7)
    with mounted(path, writable=True) as root:
        for number in range(files):
            folder = root / f"folder {number % FOLDERS}"
            folder.mkdir(exist_ok=True)
            (folder / f"file {number}").write_bytes(chance.randbytes(chance.choice(SIZES)))
        for number in range(0, files, 2):
            (root / f"folder {number % FOLDERS}" / f"file {number}").unlink()
        space = os.statvfs(root)
        count = max(LARGE, files // SMALL_FOR_EACH)
        each = int(space.f_bavail * space.f_frsize * SHARE / count)
        large = [(root / f"large {number}").open("wb", buffering=0) for number in range(count)]
        for _ in range(0, each, BIT):
            for file in large:
                file.write(chance.randbytes(BIT))
        for file in large:
            file.close()
    return path


def measured(path: Path) -> Fragmentation:
    device = FileDevice(path)
    try:
        return read_fragmentation(FileStore(device))
    finally:
        device.close()


def layout(path: Path) -> list[Placed]:
    device = FileDevice(path)
    try:
        return list(read_layout(FileStore(device)))
    finally:
        device.close()
