"""NTFS volumes for the tests: two that Windows formatted, new ones by mkntfs; and their files as vmrescue sees them."""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from support.machine import run
from support.memory_device import MemoryDevice
from support.ntfs_judges import FIRST_USER_RECORD, all_judges, digest
from support.real_data import sdist_disk, sdist_file
from vmrescue.image.transports.file import FileDevice
from vmrescue.ntfs import NtfsVolume
from vmrescue.ntfs.directory import find_file
from vmrescue.ntfs.edit.naming import touch
from vmrescue.ntfs.edit.placement import set_runs, set_sizes, settle
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.ntfs.structures.positions import Lcn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.ntfs_judges import Tree

MIB = 1 << 20
WINDOWS_SIZE = 7339520  # bytes of the volume in ntfs.bin; its boot sector's copy follows, then parts of a VHD
SECTOR = 512
ZEROS = bytes(MIB)


@cache
def windows_volume() -> bytes:
    """A small volume of Windows 10, closed cleanly: compressed files, a directory of 2000 others."""
    return sdist_file("dissect.ntfs", "tests/_data/ntfs.bin.gz")[: WINDOWS_SIZE + SECTOR]


@cache
def windows_tree() -> Tree:
    """The files of `windows_volume`, on which all judges agree."""
    with TemporaryDirectory() as folder:
        return all_judges(write_sparse(windows_volume(), Path(folder) / "volume.img"))


def cloud_volume(path: Path) -> Path:
    """A volume of Windows 11 of 1 GB, with OneDrive on it, that Windows never closed, copied to `path`.

    The volume was copied without the last sector of its partition, so the boot sector's copy is added.
    """
    run("cp", "--sparse=always", sdist_disk("dissect.ntfs", "tests/_data/ntfs-cloud.bin.gz"), path)
    with path.open("r+b") as file:
        boot_sector = file.read(SECTOR)
        file.seek(0, os.SEEK_END)
        file.write(boot_sector)
    return path


def write_sparse(data: bytes | bytearray, path: Path) -> Path:
    """Writes a sparse file with these bytes."""
    with path.open("wb") as file:
        file.truncate(len(data))
        for start in range(0, len(data), MIB):
            part = data[start : start + MIB]
            if part != ZEROS[: len(part)]:
                file.seek(start)
                file.write(part)
    return path


def format_volume(path: Path, size: int = 8 * MIB, cluster: int = 4096, sector: int = 512) -> Path:
    """An empty volume as mkntfs makes it; all sizes in bytes."""
    with path.open("wb") as file:
        file.truncate(size)
    options = ["-F", "-Q", "-q", "-T", "-L", "LABEL", "-c", str(cluster), "-s", str(sector)]
    run("mkntfs", *options, "-p", "0", "-H", "255", "-S", "63", path)
    return path


def size_for(cluster: int) -> int:
    """The size in bytes of a volume with such clusters, large enough for the log that mkntfs makes."""
    return max(8 * MIB, (300 if cluster > MIB else 160) * cluster)


@cache
def formatted(size: int = 8 * MIB, cluster: int = 4096, sector: int = 512) -> bytes:
    """The bytes of a small empty volume."""
    with TemporaryDirectory() as folder:
        return format_volume(Path(folder) / "volume.img", size, cluster, sector).read_bytes()


def new_volume(size: int = 8 * MIB, cluster: int = 4096, sector: int = 512) -> tuple[MemoryDevice, NtfsVolume]:
    device = MemoryDevice(formatted(size, cluster, sector), sector)
    return device, NtfsVolume(device)


class CountingDevice(FileDevice):
    """A file that counts the bytes that are read and written."""

    read = 0
    written = 0

    def read_at(self, offset: int, length: int) -> bytes:
        self.read += length
        return super().read_at(offset, length)

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        self.written += len(data)
        super().write_at(offset, data)


@contextmanager
def opened(path: Path, writable: bool = False) -> Iterator[NtfsVolume]:
    """The volume in a file."""
    device = FileDevice(path, writable)
    try:
        yield NtfsVolume(device)
    finally:
        device.close()


def comb(volume: NtfsVolume) -> None:
    """Makes a file `comb` of every second free cluster, so that free clusters are in pieces of one."""
    volume.create_file("comb", bytes(volume.cluster_size))
    store = volume._store
    with store.edit():
        file = find_file(store, "comb")
        extents = file.extents(Kind.DATA)
        runs = file.runs(extents)
        for first, bits, count in list(store.clusters.parts(0, volume.cluster_count)):
            for lcn in (first + at for at in range(0, count, 2) if not bits >> at & 1):
                store.clusters._flip(lcn, 1, used=True)
                runs.append(Lcn(lcn), 1)
        set_sizes(file, extents[0], runs, runs.clusters * volume.cluster_size)
        set_runs(file, extents, runs, 1)
        settle(file)
        touch(file)


def tree_of(volume: NtfsVolume) -> Tree:
    """The files that vmrescue sees, without NTFS's own."""
    return dict(_walk(volume, ""))


def _walk(volume: NtfsVolume, prefix: str) -> Iterator[tuple[str, str | None]]:
    for info in volume.list(prefix):
        path = prefix + info.name
        if info.record < FIRST_USER_RECORD:
            continue
        if info.is_directory:
            yield path, None
            yield from _walk(volume, path + "/")
        else:
            yield path, digest(volume.read_file(path))
