"""Data packed with zlib, unpacked within bounds: a few kilobytes can be packed so that they become gigabytes."""

from __future__ import annotations

import zlib

from vmrescue.errors import FormatError

LARGEST_UNIT = 16 << 20  # bytes of a grain or chunk: libewf's limit of 32768 sectors; VMware's grains have 64 KiB


def unpacked(data: bytes, most: int, structure: str, position: int) -> bytes:
    """What a zlib stream holds. Raises FormatError where that is more than `most` bytes, or it is none."""
    stream = zlib.decompressobj()
    try:
        found = stream.decompress(data, most + 1)
    except zlib.error as error:
        raise FormatError(structure, position, "data packed with zlib", str(error)) from error
    if len(found) > most:
        raise FormatError(structure, position, f"at most {most} bytes when unpacked", "more")
    return found
