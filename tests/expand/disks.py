"""Disks to expand, made by tools of others, and what independent programs see in one afterwards."""

from __future__ import annotations

import hashlib
import json
import os
import random
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pyvhdi

from support.machine import run
from support.machine_disk import loop_device, mounted_ntfs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.ntfs_judges import Tree

MIB, GIB = 1 << 20, 1 << 30
PAGE = 4096
LARGEST_FOR_QEMU = 2040 * GIB
SUBFORMATS = {"fixed VHD": "fixed", "dynamic VHD": "dynamic"}
GPT_LAYOUT = ("-n1:2048:+100M", "-t1:ef00", "-n2:0:+16M", "-t2:0c01", "-n3:0:{end}", "-t3:0700", "-c3:Basic data")
MBR_LAYOUT = (
    "label: dos\nlabel-id: 0x1a2b3c4d\nstart=2048, size=204800, type=7, bootable\nstart=206848, size={size}, type=7\n"
)
OS_NUMBER = {"GPT": 3, "MBR": 2}
ESP_AND_MSR = 117 * MIB
RESERVED = 101 * MIB


@dataclass(frozen=True)
class Seen:
    """What the judges saw: the last partition (bytes), and every file of the volume in it."""

    start: int
    size: int
    files: Tree


def partitioned(path: Path, style: str, size: int, spare: int = MIB) -> tuple[int, int]:
    """A raw image of `size` bytes, partitioned as Windows Setup does; returns (start, size) of the last partition.

    `spare` bytes behind that are left free.
    """
    with path.open("wb") as image:
        image.truncate(size)
    if style == "GPT":
        last = (size - spare) // 512 - 1
        run("sgdisk", *(option.format(end=last) for option in GPT_LAYOUT), path)
        return ESP_AND_MSR, size - spare - ESP_AND_MSR
    sectors = (size - spare - RESERVED) // 512
    run("sfdisk", "-q", path, stdin=MBR_LAYOUT.format(size=sectors).encode())
    return RESERVED, sectors * 512


def disk_with_files(path: Path, style: str, size: int, spare: int = MIB) -> tuple[int, int]:
    """Such an image whose last partition holds an NTFS volume with files; returns where that is."""
    built, start, length = _built(style, size, spare)
    run("cp", "--sparse=always", built, path)
    return start, length


@cache
def _folder() -> TemporaryDirectory[str]:
    """Where disks are kept that several tests start from."""
    return TemporaryDirectory()


@cache
def _built(style: str, size: int, spare: int) -> tuple[Path, int, int]:
    path = Path(_folder().name) / f"{style} {size} {spare}"
    start, length = partitioned(path, style, size, spare)
    with loop_device(path, start, length, writable=True) as device:
        run("mkntfs", "-q", "-Q", "-F", "-p", str(start // 512), "-H", "255", "-S", "63", device)
    with mounted_ntfs(path, start, length, writable=True) as root:
        write_files(root)
    return path, start, length


@cache
def expected_files() -> Tree:
    """What `disk_with_files` puts in."""
    with TemporaryDirectory() as folder:
        write_files(Path(folder))
        return tree(Path(folder))


def write_files(root: Path) -> None:
    """Small and larger files, in folders, some of them in several pieces."""
    chance = random.Random(7)
    for number in range(60):
        folder = root / f"folder {number % 7}"
        folder.mkdir(exist_ok=True)
        (folder / f"file {number}.bin").write_bytes(chance.randbytes(chance.choice((10, 900, 5000, 300_000))))
    for number in range(0, 60, 2):
        (root / f"folder {number % 7}" / f"file {number}.bin").unlink()
    (root / "\u00fcber \u4e2d\u6587.bin").write_bytes(chance.randbytes(8 * MIB))


def contained(raw: Path, container: str) -> Path:
    """The raw image in a container, which qemu-img makes; the raw image goes."""
    if container == "raw":
        return raw
    image = raw.with_suffix(".vhd")
    options = f"subformat={SUBFORMATS[container]},force_size=on"
    run("qemu-img", "convert", "-O", "vpc", "-o", options, raw, image)
    raw.unlink()
    return image


@contextmanager
def as_raw(image: Path) -> Iterator[Path]:
    """The disk in an image as qemu-img sees it, in a sparse file of its own.

    It opens no VHD of more than 2040 GiB; such a fixed one is its disk and 512 bytes.
    """
    if image.suffix != ".vhd":
        yield image
        return
    raw = image.with_suffix(".seen")
    if image.stat().st_size > LARGEST_FOR_QEMU:
        run("cp", "--sparse=always", image, raw)
        os.truncate(raw, image.stat().st_size - 512)
    else:
        run("qemu-img", "convert", "-f", "vpc", "-O", "raw", image, raw)
    try:
        yield raw
    finally:
        raw.unlink()


def seen_by_judges(image: Path, style: str) -> Seen:
    """What sgdisk, sfdisk, ntfsresize, ntfsfix, fsstat and ntfs-3g see in an image; each finds it in order."""
    with as_raw(image) as raw:
        run("sfdisk", "--verify", raw)
        if style == "GPT":
            assert "No problems found" in run("sgdisk", "-v", raw)
        table = json.loads(run("sfdisk", "--json", raw))["partitiontable"]
        last = max(table["partitions"], key=lambda partition: int(partition["start"]))
        start, size = last["start"] * 512, last["size"] * 512
        with loop_device(raw, start, size) as device:
            said = run("ntfsresize", "--info", "--force", "--no-progress-bar", device)
            assert f"Current volume size: {(size - 512) // PAGE * PAGE + 512} bytes" in said
            assert "Accounting clusters" in said
            assert not {"ERROR", "WARNING"} & set(said.replace(":", " ").split())
            said = run("ntfsfix", "-n", device)
            assert "alternate boot sector... OK" in said
            assert "processed successfully" in said
            assert f"Total Sector Range: 0 - {size // 512 - 2}" in run("fsstat", device)
        with mounted_ntfs(raw, start, size) as root:
            return Seen(start, size, tree(root))


def tree(root: Path) -> Tree:
    """Every file below a folder by its hash, every folder."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
        for path in root.rglob("*")
    }


def check_container(image: Path, size: int) -> None:
    """qemu-img and libvhdi agree on the size of the disk in a VHD, and libvhdi on its first and last MiB."""
    if image.suffix != ".vhd":
        assert image.stat().st_size == size
        return
    if size <= LARGEST_FOR_QEMU:
        said = json.loads(run("qemu-img", "info", "-f", "vpc", "--output", "json", image))
        assert said["virtual-size"] == size
    opened = pyvhdi.file()
    opened.open(str(image))
    try:
        assert opened.get_media_size() == size
        with as_raw(image) as raw, raw.open("rb") as stream:
            for offset in (0, size - MIB):
                stream.seek(offset)
                assert opened.read_buffer_at_offset(MIB, offset) == stream.read(MIB)
    finally:
        opened.close()
