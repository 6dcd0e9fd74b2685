"""Decompresses zlib data with a limit: a few kilobytes can decompress to gigabytes."""

from __future__ import annotations

import zlib

from vmrescue.errors import FormatError

LARGEST_UNIT = 16 << 20  # most bytes of a grain or chunk: libewf's limit of 32768 sectors; VMware's grains have 64 KiB


def unpacked(data: bytes, most: int, structure: str, position: int) -> bytes:
    """Decompresses a zlib stream. Raises FormatError if it is not whole or has more than `most` bytes."""
    stream = zlib.decompressobj()
    try:
        found = stream.decompress(data, most + 1)
    except zlib.error as error:
        raise FormatError(structure, position, "data packed with zlib", str(error)) from error
    if len(found) > most:
        raise FormatError(structure, position, f"at most {most} bytes when unpacked", "more")
    if not stream.eof:
        raise FormatError(structure, position, "data packed with zlib", "data without their end")
    return found
