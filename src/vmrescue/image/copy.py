"""Copying a disk, from whatever container, to a fixed VHD as Azure takes it.

Azure wants a fixed VHD whose virtual size is a whole number of MiB (Microsoft, "Prepare a Windows VHD or VHDX to upload
to Azure"). What is zero stays a hole where the file system has holes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmrescue.errors import UnsupportedError
from vmrescue.image.containers.vhd_create import fill_fixed
from vmrescue.image.new_image import NewImage, new_image
from vmrescue.image.transports.file import SECTOR, FileDevice

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from vmrescue.device import BlockDevice

MIB = 1 << 20
PIECE = 1 << 16  # bytes; a piece that is all zero is not written
PIECES = 64  # read at a time
_ZEROS = bytes(PIECE)


@dataclass(frozen=True)
class CopiedDisk:
    """What was copied: the new virtual size in bytes, and the SHA-256 of the disk as it was and of the new file."""

    size: int
    disk_sha256: str
    file_sha256: str


def copy_to_fixed(
    disk: BlockDevice, path: str | os.PathLike[str], progress: Callable[[int, int], None] | None = None
) -> CopiedDisk:
    """Copies a disk to a new fixed VHD; its size is rounded up to a whole MiB, with zeros.

    Args:
        disk: what to copy.
        path: the new file; it must not exist.
        progress: called with the bytes done and the bytes to do.

    Raises:
        UnsupportedError: the disk has other sectors than a VHD, so that its partition table would not fit.
        RefusedError: the file exists, or the disk is too large for a VHD.
        WriteError, ReadError: the copy could not be finished; what there was of it is gone.
    """
    with new_image(path) as new:
        return fill_with_copy(new, disk, progress)


def fill_with_copy(new: NewImage, disk: BlockDevice, progress: Callable[[int, int], None] | None = None) -> CopiedDisk:
    """Makes a new image such a copy. Raises as `copy_to_fixed`."""
    if disk.sector_size != SECTOR:
        raise UnsupportedError(
            f"the disk has sectors of {disk.sector_size} bytes, a VHD has {SECTOR}: it can't be copied"
        )
    size = -(-disk.size // MIB) * MIB
    fill_fixed(new, size)
    copy = FileDevice(new.unfinished, writable=True)
    try:
        content = _copy(disk, copy, progress or (lambda done, total: None))
        file = content.copy()
        for offset in range(disk.size, copy.size, MIB):
            file.update(copy.read_at(offset, min(MIB, copy.size - offset)))
        copy.flush()
    finally:
        copy.close()
    return CopiedDisk(size, content.hexdigest(), file.hexdigest())


def _copy(disk: BlockDevice, copy: FileDevice, progress: Callable[[int, int], None]) -> hashlib._Hash:
    """Copies what isn't zero; returns the hash of it all."""
    digest = hashlib.sha256()
    for start in range(0, disk.size, PIECE * PIECES):
        data = disk.read_at(start, min(PIECE * PIECES, disk.size - start))
        digest.update(data)
        for at in range(0, len(data), PIECE):
            piece = data[at : at + PIECE]
            if piece != _ZEROS[: len(piece)]:
                copy.write_at(start + at, piece)
        progress(start + len(data), disk.size)
    return digest
