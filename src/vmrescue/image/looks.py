"""What a file is by a look at its ends: whether it is marked as an image, or may be a disk without a mark."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from vmrescue.errors import RefusedError
from vmrescue.files import open_regular
from vmrescue.image.containers.raw_pieces import BOOT_SIGNATURE
from vmrescue.signatures import GPT, VHD

if TYPE_CHECKING:
    from pathlib import Path

GPT_SIGNATURE = (512, GPT)  # of a raw image
BOOT_SIGNATURE_AT = 510  # of a disk with an MBR, and of a bare volume
HEAD = 1024  # bytes
FOOTER = 512  # bytes at a VHD's end


def is_marked(path: str | Path) -> bool:
    """Whether a regular file begins or ends as an image does. One that cannot be read does not."""
    from vmrescue.image.containers.container import SIGNATURES  # here, because it is slow to import

    head, tail = _ends(path)
    return tail.startswith(VHD) or any(head.startswith(mark, at) for at, mark in (GPT_SIGNATURE, *SIGNATURES))


def may_be_a_disk(path: str | Path) -> bool:
    """Whether a file is marked as an image, or has the signature of an MBR or of a boot sector."""
    return is_marked(path) or _ends(path)[0].startswith(BOOT_SIGNATURE, BOOT_SIGNATURE_AT)


def _ends(path: str | Path) -> tuple[bytes, bytes]:
    try:
        with open(path, "rb", opener=open_regular) as stream:
            head = stream.read(HEAD)
            stream.seek(-min(FOOTER, stream.seek(0, os.SEEK_END)), os.SEEK_END)
            return head, stream.read()
    except (OSError, RefusedError):
        return b"", b""
