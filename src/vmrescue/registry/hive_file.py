"""Hives and their logs read into memory, up to the sizes that real ones have, and unless they consist of holes.

A file may say that it has gigabytes, and be nothing but holes.
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
# space"). Real ones have 10 to 300 MB; an edit checks every cell of one, and then has it in memory.
LARGEST_HIVE = 512 << 20  # bytes
LARGEST_LOG = 64 << 20  # bytes; a log holds what has changed since the hive was last written, a few megabytes
# A hive has hardly a page of zeros, as every bin has a header and what is freed keeps its bytes; a log that was never
# used is a few megabytes of them. So a file with more of them than of others, and than this, is made of holes.
MOST_EMPTY = 16 << 20  # bytes
PIECE = 1 << 20  # bytes read at a time
EMPTY_PAGE = bytes(4096)


def hive_size(stream: BinaryIO, name: str) -> int:
    """Bytes of a hive's base block and bins; what lies behind these in its file is no part of it.

    Raises:
        FormatError: there is no base block.
        UnsupportedError: that is more than `LARGEST_HIVE`.
    """
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    block = BaseBlock.parse(stream.read(SECTOR))
    if block.checksum_is_right:  # else it is for a log to say where the bins end
        size = min(size, SIZE + block.bins_size)
    check_size(name, size)
    return size


def read_hive(stream: BinaryIO, name: str) -> bytes:
    """A hive's base block and bins. Raises as `hive_size`, and UnsupportedError where it consists of holes."""
    return _read(stream, name, hive_size(stream, name))


def read_log(stream: BinaryIO, name: str) -> bytes:
    """All of a log. Raises UnsupportedError where that is more than `LARGEST_LOG`, or consists of holes."""
    size = stream.seek(0, os.SEEK_END)
    check_size(name, size, LARGEST_LOG)
    return _read(stream, name, size)


def check_content(stream: BinaryIO, name: str, most: int) -> None:
    """Raises UnsupportedError where a file is larger than what is read at once, or consists of holes."""
    size = stream.seek(0, os.SEEK_END)
    check_size(name, size, most)
    for _ in _pieces(stream, name, size):
        pass


def check_size(name: str, size: int, most: int = LARGEST_HIVE) -> None:
    """Raises UnsupportedError where that is more than what is read at once."""
    if size > most:
        raise UnsupportedError(f"{name} has {size} bytes: at most {most} are read at once")


def _read(stream: BinaryIO, name: str, size: int) -> bytes:
    read = BytesIO()
    for piece in _pieces(stream, name, size):
        read.write(piece)
    return read.getvalue()


def _pieces(stream: BinaryIO, name: str, size: int) -> Iterator[bytes]:
    """The first `size` bytes, or as many as there are. Raises UnsupportedError where most of them are empty pages."""
    stream.seek(0)
    position = empty = 0
    while piece := stream.read(min(PIECE, size - position)):
        position += len(piece)
        pages = range(0, len(piece), len(EMPTY_PAGE))
        empty += len(EMPTY_PAGE) * sum(piece.startswith(EMPTY_PAGE, at) for at in pages)
        if empty > position - empty + MOST_EMPTY:
            raise UnsupportedError(f"{name} consists of holes: of its first {position} bytes, {empty} are empty pages")
        yield piece
