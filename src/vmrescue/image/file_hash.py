"""The SHA-256 of an image's file as it lies on this machine, container included: what `sha256sum` would print."""

from __future__ import annotations

import hashlib
import os
from contextlib import closing
from typing import TYPE_CHECKING

from vmrescue.errors import ReadError, UnsupportedError
from vmrescue.image.reference import Reference
from vmrescue.image.transports.file import FileDevice
from vmrescue.progress import work

if TYPE_CHECKING:
    from vmrescue.image.reference import Location

PIECE = 1 << 20  # bytes read at a time
_ZEROS = bytes(PIECE)


def sha256_of_file(image: Location) -> str:
    """The SHA-256 of a whole image file or block device, read once from its beginning to its end.

    What the file system reports as a hole is hashed as the zeros that it stands for, and not read.

    Raises:
        UnsupportedError: the image is behind a URL: all of it would cross the network.
        ReadError: it cannot be read, or was written to meanwhile.
    """
    place = Reference.of(image)
    if place.is_remote:
        raise UnsupportedError(f"{place} is not on this machine: a SHA-256 takes the whole file; download it first")
    digest = hashlib.sha256()
    with closing(FileDevice(place.text)) as file, work("hashing", file.size) as now:
        before = _state(file)
        at = 0
        while at < file.size:
            data = min(file.next_data(at), file.size)
            for start in range(at, data, PIECE):
                digest.update(_ZEROS[: min(PIECE, data - start)])
                now.reach(start)
            piece = file.read_at(data, min(PIECE, file.size - data))
            digest.update(piece)
            at = data + len(piece)
            now.reach(at)
        if _state(file) != before:
            raise ReadError(f"{place} was written to while it was hashed")
    return digest.hexdigest()


def _state(file: FileDevice) -> tuple[int, int]:
    """What changes when a file is written to: its size, and when it was."""
    found = os.fstat(file.fileno())
    return found.st_size, found.st_mtime_ns
