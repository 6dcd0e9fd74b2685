"""The first file system of a Linux guest: an archive in the kernel's own format, "newc" of cpio.

Source: Documentation/driver-api/early-userspace/buffer-format.rst of Linux.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MAGIC = "070701"
FIELDS = 13  # inode, mode, owner, group, links, time, size, four of devices, length of the name, checksum
END = "TRAILER!!!"
DIRECTORY, PROGRAM = stat.S_IFDIR | 0o755, stat.S_IFREG | 0o755


def archive(files: Mapping[str, bytes | None]) -> bytes:
    """Paths from the root, each with its content, or None for a directory; a directory comes before what is in it."""
    entries = [
        _entry(number, path, DIRECTORY if content is None else PROGRAM, content or b"")
        for number, (path, content) in enumerate(files.items(), 1)
    ]
    return b"".join(entries) + _entry(0, END, 0, b"")


def _entry(inode: int, path: str, mode: int, content: bytes) -> bytes:
    name = path.encode() + b"\0"
    fields = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
    assert len(fields) == FIELDS
    head = MAGIC.encode() + b"".join(b"%08x" % each for each in fields) + name
    return _padded(head) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
