"""Reparse points: files whose content or target another part of Windows provides.

Source: Microsoft, MS-FSCC 2.1.2.1, "Reparse Tags".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import FormatError
from vmrescue.ntfs.structures.attribute import Kind

if TYPE_CHECKING:
    from vmrescue.ntfs.file import File

WOF = 0x80000017
TITLES = {
    0xA0000003: "a mount point",
    0xA000000C: "a symbolic link",
    WOF: "a file compressed by WOF",
    0x8000001B: "an app's alias",
    0x80000013: "a deduplicated file",
    0x80000023: "a socket",
    0xA000001D: "a Linux symbolic link",
    0x80000024: "a Linux FIFO",
    0x80000025: "a Linux character device",
    0x80000026: "a Linux block device",
}
# All that these are lies in the file itself: deleting it leaves nothing behind.
SELF_CONTAINED = frozenset(TITLES) - {0x80000013}


def reparse_tag(file: File) -> int | None:
    """The tag of a reparse point, None for other files."""
    attribute = file.find(Kind.REPARSE_POINT)
    if attribute is None:
        return None
    stream = file.stream(Kind.REPARSE_POINT)
    if stream.size < 8:
        raise FormatError("reparse point", attribute.position, "a tag and a length", f"{stream.size} bytes")
    return int.from_bytes(stream.read_at(0, 4), "little")


def title(tag: int) -> str:
    return TITLES.get(tag, f"tag 0x{tag:08x}")
