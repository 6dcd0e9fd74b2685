"""The header of a WIM, from which Windows RE or Setup starts: how long the file is, and which of its images starts.

Only read, and only the file's first bytes. Source: Microsoft, "Windows Imaging File Format (WIM)", 2007.
"""

from __future__ import annotations

import struct

from vmrescue.dataclass import dataclass
from vmrescue.errors import FormatError

SIGNATURE = b"MSWIM\0\0\0"
HEADER = struct.Struct("<8sIIII16sHHI24s24s24sI24s60x")
"""Signature, size of this header, version, flags, bytes of a compressed chunk, id, number of this part, parts, images;
where the table of streams, the XML and the started image's metadata lie; that image's number; where the integrity
table lies."""
RESOURCE = struct.Struct("<7sBQQ")  # bytes in the file, flags, place in the file, bytes when unpacked


@dataclass(frozen=True)
class Wim:
    """A WIM's header.

    Attributes:
        images: how many there are in it.
        started: the number of that which a start from it takes, from 1; 0 where none is marked.
        end: the first byte behind all that the header names.
    """

    images: int
    started: int
    end: int


def read_wim(head: bytes) -> Wim:
    """The header in a file's first bytes. Raises FormatError where these are no WIM's."""
    if head[: len(SIGNATURE)] != SIGNATURE:
        raise FormatError("WIM header", None, "the signature 'MSWIM'", head[: len(SIGNATURE)])
    if len(head) < HEADER.size:
        raise FormatError("WIM header", None, f"{HEADER.size} bytes", f"a file of {len(head)}")
    _, size, _, _, _, _, _, _, images, streams, xml, metadata, started, integrity = HEADER.unpack_from(head)
    if size != HEADER.size:
        raise FormatError("WIM header", 8, f"its size, {HEADER.size}", size)
    return Wim(images, started, max(HEADER.size, *map(_end, (streams, xml, metadata, integrity))))


def _end(resource: bytes) -> int:
    """The first byte behind a part of the file; 0 where there is none."""
    length, _, place, _ = RESOURCE.unpack(resource)
    size = int.from_bytes(length, "little")
    return int(place) + size if size else 0
