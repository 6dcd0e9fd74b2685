"""Makes VHDX files: fixed, dynamic, and differencing ones over a parent ([MS-VHDX] 2.1).

Each is a `NewImage`; the headers are written last, and the file is synced.
"""

from __future__ import annotations

import os
import uuid
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vmrescue.arguments import typed
from vmrescue.errors import RefusedError, UnsupportedError
from vmrescue.image.containers.vhdx.chain import ABSOLUTE, RELATIVE, open_vhdx
from vmrescue.image.containers.vhdx.header import build_header
from vmrescue.image.containers.vhdx.layout import (
    BAT_REGION,
    BIGGEST,
    BLOCK_SIZES,
    ENTRY_SIZE,
    FULLY_PRESENT,
    HEADERS_AT,
    METADATA_REGION,
    MIB,
    NO_GUID,
    REGION_TABLES_AT,
    SECTOR_SIZES,
    SIGNATURE,
    Header,
    Region,
    guid_text,
)
from vmrescue.image.containers.vhdx.metadata import Metadata, build_metadata
from vmrescue.image.containers.vhdx.regions import build_regions
from vmrescue.image.new_image import new_image
from vmrescue.image.recovery import open_for_reading
from vmrescue.image.transports.file import FileDevice

if TYPE_CHECKING:
    from vmrescue.image.new_image import NewImage

BLOCK_SIZE = 32 << 20  # bytes; what Hyper-V takes
CHILD_BLOCK_SIZE = 2 << 20  # bytes; what Hyper-V takes for a differencing disk
CREATOR = "vmrescue".encode("utf-16-le")
LOG_AT, METADATA_AT, BAT_AT = MIB, 2 * MIB, 3 * MIB


@typed
def create_vhdx(
    path: str | os.PathLike[str],
    size: int,
    block_size: int = BLOCK_SIZE,
    sector_size: int = 512,
    fixed: bool = False,
) -> None:
    """Makes a VHDX whose disk has `size` bytes, all zero.

    Args:
        block_size: bytes: 1, 2, 4, … 256 MiB.
        sector_size: 512 or 4096 bytes.
        fixed: whether all blocks are in the file from the start (holes, if the file system has holes).

    Raises:
        RefusedError: the file exists, or a VHDX cannot have these sizes.
        WriteError: the file could not be written; what was written of it is deleted.
    """
    with new_image(path) as new:
        _fill(new, _metadata(size, block_size, sector_size, fixed))


def fill_vhdx(new: NewImage, size: int, sector_size: int) -> None:
    """Writes an empty dynamic VHDX into a new image. Raises as `create_vhdx`."""
    _fill(new, _metadata(size, BLOCK_SIZE, sector_size, False))


@typed
def create_vhdx_child(
    parent: str | os.PathLike[str], child: str | os.PathLike[str], block_size: int = CHILD_BLOCK_SIZE
) -> None:
    """Makes a differencing VHDX over its parent, a VHDX.

    The child stores the parent's relative and absolute path, in Windows' form, and the id of the last write to its
    data. Once the parent changes, the child is worthless.

    Raises:
        FormatError, UnsupportedError: the parent is no VHDX.
        As `create_vhdx`.
    """
    with new_image(child) as new:
        fill_child(new, parent, block_size)


def fill_child(new: NewImage, parent: str | os.PathLike[str], block_size: int = CHILD_BLOCK_SIZE) -> None:
    """Writes such a child into a new image. Raises as `create_vhdx_child`."""
    store, interrupted = open_for_reading(parent)
    try:
        if interrupted:
            raise UnsupportedError(f"a repair of {parent} was interrupted: `vmrescue undo` it first")
        disk = open_vhdx(store, str(parent))
        below, linkage = disk.metadata, disk.data_write_guid
    finally:
        store.close()
    place = Path(parent).resolve()
    relative = os.path.relpath(place, new.path.parent.resolve())
    said = {
        "parent_linkage": guid_text(linkage),
        RELATIVE: (relative if relative.startswith("..") else "./" + relative).replace("/", "\\"),
        ABSOLUTE: str(place).replace("/", "\\"),
    }
    _fill(new, replace(below, block_size=block_size, leave_allocated=False, parent=said))


def _metadata(size: int, block_size: int, sector_size: int, fixed: bool) -> Metadata:
    if not 0 < size <= BIGGEST or size % sector_size:
        raise RefusedError(f"a VHDX can't have {size} bytes: only whole sectors of {sector_size}, up to {BIGGEST}")
    if block_size not in BLOCK_SIZES or sector_size not in SECTOR_SIZES:
        raise RefusedError(f"a VHDX can't have blocks of {block_size} and sectors of {sector_size} bytes")
    return Metadata(block_size, fixed, size, uuid.uuid4().bytes_le, sector_size, 4096, None)


def _fill(new: NewImage, metadata: Metadata) -> None:
    """Writes a file without content: the tables first, then the identifier and the headers."""
    bat = -(-metadata.entries * ENTRY_SIZE // MIB) * MIB
    regions = build_regions([Region(BAT_REGION, BAT_AT, bat, 1), Region(METADATA_REGION, METADATA_AT, MIB, 1)])
    ids = uuid.uuid4().bytes_le, uuid.uuid4().bytes_le
    file = FileDevice(new.unfinished, writable=True)
    try:
        file.resize(BAT_AT + bat + (metadata.blocks * metadata.block_size if metadata.leave_allocated else 0))
        file.write_at(METADATA_AT, build_metadata(metadata))
        if metadata.leave_allocated:
            _fill_table(file, metadata, BAT_AT + bat)
        for at in REGION_TABLES_AT:
            file.write_at(at, regions)
        file.write_at(0, SIGNATURE + CREATOR)
        for sequence, at in enumerate(HEADERS_AT, 1):
            file.write_at(at, build_header(Header(sequence, *ids, NO_GUID, 0, 1, MIB, LOG_AT)))
        file.flush()
    finally:
        file.close()


def _fill_table(file: FileDevice, metadata: Metadata, first: int) -> None:
    """The table of a fixed disk: one block after the other."""
    chunk = metadata.blocks_of_chunk
    for start in range(0, metadata.blocks, chunk):
        blocks = range(start, min(start + chunk, metadata.blocks))
        entries = [(first + block * metadata.block_size | FULLY_PRESENT).to_bytes(8, "little") for block in blocks]
        file.write_at(BAT_AT + start // chunk * (chunk + 1) * ENTRY_SIZE, b"".join(entries))
