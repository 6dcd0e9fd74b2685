"""FAT volumes that mkfs.vfat made, and what independent programs see in a volume."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from dissect.fat import fat as dissect_fat

from support.machine import run
from support.memory_device import MemoryDevice
from vmrescue.fat import FatVolume

if TYPE_CHECKING:
    from collections.abc import Iterator

KIB = 1 << 10
SIZES = {12: 1440 * KIB, 16: 5 * 1024 * KIB, 32: 34 * 1024 * KIB}
KINDS = (12, 16, 32)

Tree = dict[str, bytes | None]  # path with slashes, from the root: content, or None for a directory


@cache
def formatted(bits: int, cluster: int = 1, *options: str) -> bytes:
    """An empty volume; `cluster` is in sectors."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "volume.img"
        with path.open("wb") as image:
            image.truncate(SIZES[bits])
        run("mkfs.vfat", "-F", str(bits), "-s", str(cluster), "-n", "LABEL", "--invariant", *options, path)
        return path.read_bytes()


def new_volume(bits: int, cluster: int = 1, *options: str) -> tuple[MemoryDevice, FatVolume]:
    device = MemoryDevice(formatted(bits, cluster, *options))
    return device, FatVolume(device)


def tree_of(volume: FatVolume) -> Tree:
    """The files that vmrescue sees."""
    return dict(_walk(volume, ""))


def _walk(volume: FatVolume, path: str) -> Iterator[tuple[str, bytes | None]]:
    for info in volume.list(path):
        below = f"{path}/{info.name}"
        yield below, None if info.is_directory else volume.read_file(below)
        if info.is_directory:
            yield from _walk(volume, below)


def fsck_says(data: bytes | bytearray, folder: Path) -> str:
    """The output of fsck.vfat -n and its exit status, which is 1 if it would change something."""
    path = folder / "fsck.img"
    path.write_bytes(data)
    return run("fsck.vfat", "-n", path, ok=(0, 1))


def fsck_is_content(said: str) -> bool:
    """Whether fsck.vfat printed only its version, and the counts of files and clusters."""
    return len(said.splitlines()) == 2 and " files, " in said


def assert_fsck_content(data: bytes | bytearray, folder: Path) -> None:
    said = fsck_says(data, folder)
    assert fsck_is_content(said), said


def mtools_tree(data: bytes | bytearray, folder: Path) -> Tree:
    """The files that mtools copies out of the volume."""
    path, out = folder / "mtools.img", folder / "mtools"
    path.write_bytes(data)
    out.mkdir()
    run("mcopy", "-s", "-n", "-Q", "-i", path, "::/", out, LC_ALL="C.UTF-8")
    return {f"/{p.relative_to(out)}": p.read_bytes() if p.is_file() else None for p in out.rglob("*")}


def dissect_tree(data: bytes | bytearray, folder: Path) -> Tree:
    """The files that dissect.fat reads; it shows names without a long form in upper case."""
    path = folder / "dissect.img"
    path.write_bytes(data)
    with path.open("rb") as image:
        return dict(_walk_dissect(dissect_fat.FATFS(image).root, ""))


def _walk_dissect(directory: dissect_fat.DirectoryEntry, path: str) -> Iterator[tuple[str, bytes | None]]:
    for entry in directory.iterdir():
        if entry.name in (".", "..") or entry.is_volume_id():
            continue
        below = f"{path}/{entry.name}"
        is_directory = entry.is_directory()
        yield below, None if is_directory else entry.open().read() if entry.size else b""
        if is_directory:
            yield from _walk_dissect(entry, below)


def upper(tree: Tree) -> Tree:
    return {path.upper(): content for path, content in tree.items()}
