"""A copy of a volume's boot sector that is better than its first sector."""

from __future__ import annotations

from typing import NamedTuple


class SpareBootSector(NamedTuple):
    """What is to be written over the first sector.

    Attributes:
        file_system: whose boot sector it is: ``NTFS`` or ``FAT32``.
        position: the copy's position, in bytes from the volume's start.
        first: the bytes of the first sector.
        copy: the bytes of the copy, as many.
        is_described: whether the first sector still describes the volume as the copy does.
    """

    file_system: str
    position: int
    first: bytes
    copy: bytes
    is_described: bool
