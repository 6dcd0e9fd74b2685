"""Reparse points: files whose content or target is provided by another part of Windows.

Source: Microsoft, MS-FSCC 2.1.2.1, "Reparse Tags".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import in_volume
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.reparse_tags import TITLES

if TYPE_CHECKING:
    from vmrescue.ntfs.store import File

# Tags of files that keep nothing outside of themselves, so that they can be deleted.
SELF_CONTAINED = frozenset(TITLES) - {0x80000013}


def reparse_tag(file: File) -> int | None:
    """The tag of a reparse point; None for other files."""
    attribute = file.find(Kind.REPARSE_POINT)
    if attribute is None:
        return None
    stream = file.stream(Kind.REPARSE_POINT)
    if stream.size < 8:
        raise in_volume("reparse point", attribute.position, "a tag and a length", f"{stream.size} bytes")
    return int.from_bytes(stream.read_at(0, 4), "little")
