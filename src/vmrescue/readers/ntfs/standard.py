"""What $STANDARD_INFORMATION says of a file: when its content last changed, and how it is stored.

Source: Microsoft, MS-FSCC 2.6 "File Attributes"; linux-ntfs documentation, "$STANDARD_INFORMATION".
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import NamedTuple

SPARSE, OFFLINE, PACKED, ENCRYPTED, RECALL = 0x200, 0x1000, 0x800, 0x4000, 0x40_0000  # file attributes
DATA_PACKED, DATA_ENCRYPTED, DATA_SPARSE = 0x00FF, 0x4000, 0x8000  # flags of the attribute $DATA
STANDARD = Struct("<8xQ16xI")  # when the content changed, in 100 ns; the attributes
START = datetime(1601, 1, 1, tzinfo=UTC)


class Standard(NamedTuple):
    """From $STANDARD_INFORMATION: when the file's content last changed, and its attributes."""

    modified: datetime | None
    attributes: int


def standard_from(data: bytes) -> Standard:
    """What the value of $STANDARD_INFORMATION says."""
    modified, attributes = STANDARD.unpack(data.ljust(STANDARD.size, b"\0"))
    try:
        return Standard(START + timedelta(microseconds=modified // 10) if modified else None, attributes)
    except OverflowError:  # behind the year 9999
        return Standard(None, attributes)


def marks_from(attributes: int, flags: int = 0) -> tuple[str, ...]:
    """Marks of how what is no reparse point is stored: by its attributes and the flags of its data."""
    found = {
        "compressed": attributes & PACKED or flags & DATA_PACKED,
        "encrypted": attributes & ENCRYPTED or flags & DATA_ENCRYPTED,
        "sparse": attributes & SPARSE or flags & DATA_SPARSE,
        "offline": attributes & (OFFLINE | RECALL),
    }
    return tuple(mark for mark, there in found.items() if there)
