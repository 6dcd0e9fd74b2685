"""Copying a disk, from whatever container, to a new image of another form.

Only what is not zero is copied: holes are neither read nor written, where the container and its file system tell of
them (`next_data`), and zeros that were written become holes.

What a copy holds is told by one digest, `content_of`: of all pieces of 64 KiB that are not zero throughout, each with
its place. So whoever reads the copy, by whatever reader, can tell whether it is what was read of the disk, and nothing
else, without reading a hole either.
"""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmrescue.device import next_data
from vmrescue.errors import UnsupportedError
from vmrescue.image.containers.container import open_container
from vmrescue.image.copy_format import FORMATS
from vmrescue.image.new_image import NewImage, new_image
from vmrescue.image.transports.file import FileDevice

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from vmrescue.image.copy_format import CopyFormat
    from vmrescue.image.virtual_disk import VirtualDisk

    Reader = Callable[[int, int], bytes]  # (offset, length) of a disk -> its bytes
    Progress = Callable[[int, int], None]  # bytes done, bytes to do

PIECE = 1 << 16  # bytes; a piece that is all zero is not written
PIECES = 16  # read at a time
_ZEROS = bytes(PIECE)


@dataclass(frozen=True)
class CopiedDisk:
    """What was copied.

    Attributes:
        size: the new disk's size in bytes.
        data: how many bytes of the disk lie in pieces that are not zero.
        content: the digest of these, as `content_of` gives it.
        sha256: of the whole disk as it was, its holes included; None unless it was asked for.
    """

    size: int
    data: int
    content: str
    sha256: str | None


class Content:
    """The digest of what a disk holds: the pieces that are not zero, in their order.

    Attributes:
        data: bytes in them.
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self.data = 0

    def add(self, offset: int, piece: bytes) -> None:
        """A piece that is not zero; `offset` in bytes from the disk's start."""
        self._digest.update(offset.to_bytes(8, "big"))
        self._digest.update(piece.ljust(PIECE, b"\0"))  # a disk that ends within a piece reads as zero behind its end
        self.data += len(piece)

    def text(self) -> str:
        """In hexadecimal."""
        return self._digest.hexdigest()


def pieces_of(device: object, size: int, read: Reader) -> Iterator[tuple[int, bytes]]:
    """(offset, bytes) of all pieces of a disk that are not zero throughout, ascending.

    Args:
        device: what knows the disk's holes, as `next_data` asks.
        size: of the disk, in bytes.
        read: what reads it, perhaps somebody else.
    """
    at = 0
    while at < size and (at := next_data(device, at)) < size:
        at -= at % PIECE
        data = read(at, min(PIECE * PIECES, size - at))
        for start in range(0, len(data), PIECE):
            piece = data[start : start + PIECE]
            if piece != _ZEROS[: len(piece)]:
                yield at + start, piece
        at += len(data)


def content_of(device: object, size: int, read: Reader, step: Callable[[], None] = lambda: None) -> str:
    """The digest of what a disk holds, as `CopiedDisk.content`.

    Arguments as for `pieces_of`; `step` is called for each piece.
    """
    content = Content()
    for offset, piece in pieces_of(device, size, read):
        content.add(offset, piece)
        step()
    return content.text()


def copy_to_fixed(disk: VirtualDisk, path: str | os.PathLike[str], progress: Progress | None = None) -> CopiedDisk:
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
        return fill_with_copy(new, disk, FORMATS["vhd"], progress)


def fill_with_copy(
    new: NewImage, disk: VirtualDisk, form: CopyFormat, progress: Progress | None = None, whole: bool = False
) -> CopiedDisk:
    """Makes a new image a copy, in the form in which it is worked on (`CopyFormat.fill`). Raises as `copy_to_fixed`.

    `whole`: whether the hash of the whole disk is wanted too, for which holes are hashed as the zeros that they are.
    """
    if form.sector_size not in (None, disk.sector_size):
        raise UnsupportedError(
            f"the disk has sectors of {disk.sector_size} bytes, a {form.name} copy has {form.sector_size}: its"
            " partition table would not fit; a raw or a qcow2 copy can be made (--to-format)"
        )
    size = form.size_of(disk.size)
    form.fill(new, size)
    with closing(open_container(FileDevice(new.unfinished, writable=True), str(new.unfinished))) as copy:
        copied = _copy(disk, copy, progress or (lambda done, total: None), whole)
        copy.flush()
    return copied


def _copy(disk: VirtualDisk, copy: VirtualDisk, progress: Progress, whole: bool) -> CopiedDisk:
    content = Content()
    everything = hashlib.sha256() if whole else None
    end = 0
    for offset, piece in pieces_of(disk, disk.size, disk.read_at):
        copy.write_at(offset, piece)
        content.add(offset, piece)
        if everything:
            _hash_zeros(everything, offset - end)
            everything.update(piece)
        end = offset + len(piece)
        progress(end, disk.size)
    if everything:
        _hash_zeros(everything, disk.size - end)
    progress(disk.size, disk.size)
    return CopiedDisk(copy.size, content.data, content.text(), everything.hexdigest() if everything else None)


def _hash_zeros(digest: hashlib._Hash, count: int) -> None:
    for at in range(0, count, PIECE):
        digest.update(_ZEROS[: min(PIECE, count - at)])
