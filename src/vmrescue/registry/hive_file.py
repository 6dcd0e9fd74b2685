"""Hives and their logs read into memory: no more than what belongs to them, and than any of them has.

A file may say that it has gigabytes, and be nothing but holes.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from vmrescue.errors import UnsupportedError
from vmrescue.registry.base_block import SECTOR, SIZE, BaseBlock

if TYPE_CHECKING:
    from typing import BinaryIO

# Windows loads a SYSTEM hive of half the memory, up to 1.5 GB, and others of up to 2 GiB (Microsoft, "Registry storage
# space"). Real ones have 10 to 300 MB; a replay and an edit hold a few copies of one.
LARGEST_HIVE = 512 << 20  # bytes
LARGEST_LOG = 128 << 20  # bytes; a log holds what has changed since the hive was last written, a few megabytes


def read_hive(stream: BinaryIO, name: str) -> bytes:
    """A hive's base block and bins; what lies behind these in its file is no part of it.

    Raises:
        FormatError: there is no base block.
        UnsupportedError: that is more than `LARGEST_HIVE`.
    """
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    block = BaseBlock.parse(stream.read(SECTOR))
    if block.checksum_is_right:  # else it is for a log to say where the bins end
        size = min(size, SIZE + block.bins_size)
    return _read(stream, name, size, LARGEST_HIVE)


def read_log(stream: BinaryIO, name: str) -> bytes:
    """All of a log. Raises UnsupportedError where that is more than `LARGEST_LOG`."""
    return _read(stream, name, stream.seek(0, os.SEEK_END), LARGEST_LOG)


def check_size(name: str, size: int, most: int = LARGEST_HIVE) -> None:
    """Raises UnsupportedError where that is more than what is read at once."""
    if size > most:
        raise UnsupportedError(f"{name} has {size} bytes: at most {most} are read at once")


def _read(stream: BinaryIO, name: str, size: int, most: int) -> bytes:
    check_size(name, size, most)
    stream.seek(0)
    return stream.read(size)
