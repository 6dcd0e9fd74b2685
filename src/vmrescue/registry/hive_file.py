"""Reads hives and their logs into memory, within limits: the sizes that real ones have.

A sparse file of a few bytes can claim gigabytes of zeros, so a file that consists mostly of zeros is refused too.
"""

from __future__ import annotations

import os
from io import BytesIO
from typing import TYPE_CHECKING

from vmrescue.errors import UnsupportedError
from vmrescue.registry.base_block import SECTOR, SIZE, BaseBlock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

# Windows loads a SYSTEM hive of half the memory, up to 1.5 GB, and others of up to 2 GiB (Microsoft, "Registry storage
# space"). Real ones have 10 to 300 MB. An edit checks every cell, so the whole hive is then in memory.
LARGEST_HIVE = 512 << 20  # bytes
LARGEST_LOG = 64 << 20  # bytes; a log holds what has changed since the hive was last written, a few megabytes
# A hive has few pages of zeros: every bin has a header, and freed cells keep their bytes. A log that was never used is
# a few megabytes of zeros. A file whose zero pages exceed its other pages by more than this counts as made of holes.
MOST_EMPTY = 16 << 20  # bytes
PIECE = 1 << 20  # bytes read at a time
EMPTY_PAGE = bytes(4096)


def hive_size(stream: BinaryIO, name: str) -> int:
    """Bytes of a hive's base block and bins; bytes after these in its file are not part of the hive.

    Raises:
        FormatError: there is no base block.
        UnsupportedError: the size is more than `LARGEST_HIVE`.
    """
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    block = BaseBlock.parse(stream.read(SECTOR))
    if block.checksum_is_right:  # otherwise only a log can tell where the bins end
        size = min(size, SIZE + block.bins_size)
    check_size(name, size)
    return size


def read_hive(stream: BinaryIO, name: str) -> bytes:
    """A hive's base block and bins. Raises as `hive_size`, and UnsupportedError if it consists of holes."""
    return _read(stream, name, hive_size(stream, name))


def read_log(stream: BinaryIO, name: str) -> bytes:
    """All of a log. Raises UnsupportedError if it is larger than `LARGEST_LOG` or consists of holes."""
    size = stream.seek(0, os.SEEK_END)
    check_size(name, size, LARGEST_LOG)
    return _read(stream, name, size)


def check_content(stream: BinaryIO, name: str, most: int) -> None:
    """Raises UnsupportedError if a file is larger than `most` bytes or consists of holes."""
    size = stream.seek(0, os.SEEK_END)
    check_size(name, size, most)
    for _ in _pieces(stream, name, size):
        pass


def check_size(name: str, size: int, most: int = LARGEST_HIVE) -> None:
    """Raises UnsupportedError if `size` is more than `most` bytes."""
    if size > most:
        raise UnsupportedError(f"{name} has {size} bytes: at most {most} are read at once")


def _read(stream: BinaryIO, name: str, size: int) -> bytes:
    read = BytesIO()
    for piece in _pieces(stream, name, size):
        read.write(piece)
    return read.getvalue()


def _pieces(stream: BinaryIO, name: str, size: int) -> Iterator[bytes]:
    """The first `size` bytes, or as many as there are. Raises UnsupportedError if most of them are empty pages."""
    stream.seek(0)
    position = empty = 0
    while piece := stream.read(min(PIECE, size - position)):
        position += len(piece)
        pages = range(0, len(piece), len(EMPTY_PAGE))
        empty += len(EMPTY_PAGE) * sum(piece.startswith(EMPTY_PAGE, at) for at in pages)
        if empty > position - empty + MOST_EMPTY:
            raise UnsupportedError(f"{name} consists of holes: of its first {position} bytes, {empty} are empty pages")
        yield piece
