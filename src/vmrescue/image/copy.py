"""Copies a disk, from any container, to a new image of another format.

Only what is not zero is copied. Holes are neither read nor written, if the container and its file system report them
(`next_data`), and written zeros become holes.

The content of a copy has one digest, `content_of`: of all pieces of 64 KiB that are not all zero, each with its offset.
So any reader can confirm that a copy has exactly the bytes that were read from the disk, without reading holes.
"""

from __future__ import annotations

import hashlib
from contextlib import closing
from typing import TYPE_CHECKING

from vmrescue.arguments import typed
from vmrescue.dataclass import dataclass
from vmrescue.device import next_data
from vmrescue.errors import UnsupportedError
from vmrescue.image.containers.container import open_container
from vmrescue.image.copy_format import FORMATS
from vmrescue.image.new_image import NewImage, new_image
from vmrescue.image.transports.file import FileDevice
from vmrescue.progress import work

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from vmrescue.image.copy_format import CopyFormat
    from vmrescue.image.virtual_disk import VirtualDisk

    Reader = Callable[[int, int], bytes]  # (offset, length) of a disk -> its bytes
    Progress = Callable[[int, int], None]  # (bytes done, bytes in all)

PIECE = 1 << 16  # bytes; a piece that is all zero is not written
PIECES = 16  # pieces read at a time
_ZEROS = bytes(PIECE)


@dataclass(frozen=True)
class CopiedDisk:
    """The result of a copy.

    Attributes:
        size: the new disk's size in bytes.
        data: number of bytes of the disk in pieces that are not all zero.
        content: the digest of these pieces, as of `content_of`.
        sha256: of the whole source disk, holes included; None unless it was asked for.
    """

    size: int
    data: int
    content: str
    sha256: str | None


class Content:
    """The digest of a disk's content: of the pieces that are not all zero, in their order.

    Attributes:
        data: number of bytes in these pieces.
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self.data = 0

    def add(self, offset: int, piece: bytes) -> None:
        """Adds a piece; `offset` in bytes from the disk's start."""
        self._digest.update(offset.to_bytes(8, "big"))
        self._digest.update(piece.ljust(PIECE, b"\0"))  # the last piece is filled up with zeros
        self.data += len(piece)

    def text(self) -> str:
        """The digest in hexadecimal."""
        return self._digest.hexdigest()


def pieces_of(device: object, size: int, read: Reader) -> Iterator[tuple[int, bytes]]:
    """All pieces of a disk that are not all zero, ascending: (offset, bytes).

    Args:
        device: knows the disk's holes (`next_data`).
        size: the disk's size in bytes.
        read: reads the disk; may be another reader than `device`.
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
    """The digest of a disk's content, as in `CopiedDisk.content`.

    Arguments as for `pieces_of`; `step` is called for each piece.
    """
    content = Content()
    for offset, piece in pieces_of(device, size, read):
        content.add(offset, piece)
        step()
    return content.text()


@typed
def copy_to_fixed(disk: VirtualDisk, path: str | os.PathLike[str], progress: Progress | None = None) -> CopiedDisk:
    """Copies a disk to a new fixed VHD; its size is rounded up to a whole MiB, with zeros.

    Args:
        disk: the disk to copy.
        path: the new file; it must not exist.
        progress: called with (bytes done, bytes in all).

    Raises:
        UnsupportedError: the disk's sectors are not 512 bytes, so its partition table would be wrong in a VHD.
        RefusedError: the file exists, or the disk is too large for a VHD.
        WriteError, ReadError: the copy could not be finished; what was written of it is deleted.
    """
    with new_image(path) as new:
        return fill_with_copy(new, disk, FORMATS["vhd"], progress)


def fill_with_copy(
    new: NewImage, disk: VirtualDisk, form: CopyFormat, progress: Progress | None = None, whole: bool = False
) -> CopiedDisk:
    """Writes a copy into a new image, in the format that `CopyFormat.fill` makes. Raises as `copy_to_fixed`.

    `whole`: also compute the hash of the whole disk, with holes hashed as zeros.
    """
    if form.sector_size not in (None, disk.sector_size):
        raise UnsupportedError(
            f"the disk has sectors of {disk.sector_size} bytes, a {form.name} copy has {form.sector_size}: its"
            " partition table would not fit; a vhdx, a raw or a qcow2 copy can be made (--to-format)"
        )
    size = form.size_of(disk.size)
    form.fill(new, size, disk.sector_size)
    with closing(open_container(FileDevice(new.unfinished, writable=True), str(new.unfinished))) as copy:
        copied = _copy(disk, copy, progress or (lambda done, total: None), whole)
        copy.flush()
    return copied


def _copy(disk: VirtualDisk, copy: VirtualDisk, progress: Progress, whole: bool) -> CopiedDisk:
    content = Content()
    everything = hashlib.sha256() if whole else None
    end = 0
    with work("copying", disk.size) as now:
        for offset, piece in pieces_of(disk, disk.size, disk.read_at):
            copy.write_at(offset, piece)
            content.add(offset, piece)
            if everything:
                _hash_zeros(everything, offset - end)
                everything.update(piece)
            end = offset + len(piece)
            now.reach(end)
            progress(end, disk.size)
    if everything:
        _hash_zeros(everything, disk.size - end)
    progress(disk.size, disk.size)
    return CopiedDisk(copy.size, content.data, content.text(), everything.hexdigest() if everything else None)


def _hash_zeros(digest: hashlib._Hash, count: int) -> None:
    for at in range(0, count, PIECE):
        digest.update(_ZEROS[: min(PIECE, count - at)])
