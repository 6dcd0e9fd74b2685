"""Edits that are wrong on purpose, each of which a kernel must find."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fat.volumes import new_volume
from kernels.volumes import Made
from ntfs.volumes import format_volume, opened
from support.ntfs_judges import digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = b"what the kernel reads " * 600
FILES = 40  # more than a directory has room for in its record


def wrong_volumes(folder: Path) -> Iterator[Made]:
    """A cluster of a file is another's; a folder's block lost a sector; a chain of a FAT ends too soon."""
    for what, spoil in (("a cluster of another file", _another_cluster), ("a torn block of a folder", _torn_block)):
        path = format_volume(folder / what)
        with opened(path, writable=True) as volume:
            volume.create_directory("folder")
            for number in range(FILES):
                volume.create_file(f"folder/{number} {'x' * 40}", b"%d " % number + CONTENT)
        spoil(path)
        tree = {f"folder/{number} {'x' * 40}": digest(b"%d " % number + CONTENT) for number in range(FILES)}
        yield Made(what, "ntfs", path, {"folder": None, **tree})
    device, fat = new_volume(16)
    fat.create_file("file", CONTENT)
    first = fat.file_extents("file")[0][1]
    table = device.data.index(b"\xf8\xff\xff\xff")
    at = table + 2 * (first + 1)
    device.data[at : at + 2] = b"\xff\xff"
    path = folder / "a chain that is cut"
    path.write_bytes(device.data)
    yield Made(path.name, "vfat", path, {"file": digest(CONTENT)})


def _another_cluster(path: Path) -> None:
    """The run list of a file begins a cluster later."""
    with opened(path, writable=True) as volume:
        name = f"folder/7 {'x' * 40}"
        first = volume.file_extents(name)[0][1]
        place = volume._store.mft.position(volume.stat(name).record)
    with path.open("r+b") as stream:
        stream.seek(place)
        content = stream.read(1024)
        at = content.index(first.to_bytes(2, "little"), 0x100)
        stream.seek(place + at)
        stream.write((first + 1).to_bytes(2, "little"))


def _torn_block(path: Path) -> None:
    """The last two bytes of a sector of an index block, which say that it was written with the others."""
    data = path.read_bytes()
    block = data.rindex(b"INDX")
    with path.open("r+b") as stream:
        stream.seek(block + 1022)
        stream.write(b"\x00\x7f")
