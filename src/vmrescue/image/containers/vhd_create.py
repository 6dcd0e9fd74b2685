"""Makes VHDs: fixed, dynamic, and differencing ones over a parent.

Source: Microsoft, "Virtual Hard Disk Image Format Specification", version 1.0, 2006. Each is a `NewImage`; the footer
at its end is written last, and the file is synced.
"""

from __future__ import annotations

import os
from pathlib import Path

from vmrescue.arguments import typed
from vmrescue.errors import RefusedError, UnsupportedError
from vmrescue.image.containers import vhd_layout
from vmrescue.image.containers.container import open_container
from vmrescue.image.containers.vhd_layout import ABSOLUTE, DIFFERENCING, DYNAMIC, FIXED, HEADER_SIZE, RELATIVE
from vmrescue.image.new_image import NewImage, new_image
from vmrescue.image.transports.file import SECTOR, FileDevice

BLOCK_SIZE = 2 << 20  # bytes; the usual size
HEADER_AT = SECTOR
TABLE_AT = SECTOR + HEADER_SIZE


@typed
def create_fixed(path: str | os.PathLike[str], size: int) -> None:
    """Makes a fixed VHD whose disk has `size` bytes, all zero (a hole, if the file system has holes).

    Raises:
        RefusedError: the file exists, or a VHD cannot have this size.
        WriteError: the file could not be written; what was written of it is deleted.
    """
    with new_image(path) as new:
        fill_fixed(new, size)


def fill_fixed(new: NewImage, size: int) -> None:
    """Writes such a disk into a new image. Raises as `create_fixed`."""
    _check_size(size)
    _fill(new, {size: vhd_layout.build_footer(FIXED, size)})


@typed
def create_dynamic(path: str | os.PathLike[str], size: int, block_size: int = BLOCK_SIZE) -> None:
    """Makes a dynamic VHD without blocks. `block_size`: bytes, a power of two. Raises as `create_fixed`."""
    with new_image(path) as new:
        fill_dynamic(new, size, block_size)


def fill_dynamic(new: NewImage, size: int, block_size: int = BLOCK_SIZE) -> None:
    """Writes such a disk into a new image. Raises as `create_fixed`."""
    _check_size(size)
    _fill_sparse(new, vhd_layout.build_footer(DYNAMIC, size), size, block_size)


@typed
def create_differencing(
    parent: str | os.PathLike[str], child: str | os.PathLike[str], block_size: int = BLOCK_SIZE
) -> None:
    """Makes a differencing VHD over its parent, a VHD.

    The child stores the parent's relative and absolute path, in Windows' form, its unique id and its time of last
    change. Once the parent changes, the child is worthless.

    Raises:
        UnsupportedError: the parent is no VHD, so it has no unique id.
        As `create_fixed`.
    """
    with new_image(child) as new:
        fill_differencing(new, parent, block_size)


def fill_differencing(new: NewImage, parent: str | os.PathLike[str], block_size: int = BLOCK_SIZE) -> None:
    """Writes such a child into a new image. Raises as `create_differencing`."""
    below = FileDevice(parent)
    try:
        disk = open_container(below, below.path)
        size, unique_id, form = disk.size, disk.unique_id, disk.facts.format
    finally:
        below.close()
    if unique_id is None or not form.endswith("VHD"):
        raise UnsupportedError(f"{parent} is a {form}: only a VHD can be the parent of a differencing VHD")
    parent = Path(parent).resolve()
    relative = os.path.relpath(parent, new.path.parent.resolve())
    names = {
        RELATIVE: (relative if relative.startswith("..") else "./" + relative).replace("/", "\\"),
        ABSOLUTE: str(parent).replace("/", "\\"),
    }
    about = (unique_id, time_stamp(parent), parent.name)
    _fill_sparse(new, vhd_layout.build_footer(DIFFERENCING, size), size, block_size, about, names)


def time_stamp(path: Path) -> int:
    """A file's time of last change, as a child stores it: whole seconds since 2000."""
    return max(0, int(path.stat().st_mtime) - vhd_layout.EPOCH) & 0xFFFFFFFF


def _fill_sparse(
    new: NewImage,
    footer: bytes,
    size: int,
    block_size: int,
    parent: tuple[bytes, int, str] | None = None,
    parent_names: dict[bytes, str] | None = None,
) -> None:
    entries = -(-size // block_size)
    at = TABLE_AT + _whole_sectors(4 * entries)
    pieces = {TABLE_AT: b"\xff" * (at - TABLE_AT)}
    locators = []
    for code, name in (parent_names or {}).items():
        encoded = name.encode("utf-16-le", "surrogatepass")
        locators.append((code, at, len(encoded)))
        pieces[at] = encoded
        at += _whole_sectors(len(encoded))
    pieces[HEADER_AT] = vhd_layout.build_header(TABLE_AT, entries, block_size, parent, tuple(locators))
    _fill(new, {0: footer, **pieces, at: footer})


def _fill(new: NewImage, pieces: dict[int, bytes]) -> None:
    """Writes pieces (byte position -> bytes) to a new file; the last one ends the file."""
    file = FileDevice(new.unfinished, writable=True)
    try:
        last = max(pieces)
        file.resize(last + len(pieces[last]))
        for position, data in pieces.items():
            file.write_at(position, data)
        file.flush()
    finally:
        file.close()


def _check_size(size: int) -> None:
    if not 0 < size <= vhd_layout.BIGGEST or size % SECTOR:
        raise RefusedError(f"a VHD can't have {size} bytes: only whole sectors, up to {vhd_layout.BIGGEST}")


def _whole_sectors(length: int) -> int:
    return -(-length // SECTOR) * SECTOR
