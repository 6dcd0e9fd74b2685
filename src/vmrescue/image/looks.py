"""What a file is by a look at its ends: whether it is marked as an image, or may be a disk without a mark."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from vmrescue.errors import RefusedError
from vmrescue.files import open_regular
from vmrescue.image.containers.raw_pieces import BOOT_SIGNATURE_AT
from vmrescue.signatures import BOOT_SIGNATURE, GPT, VHD

if TYPE_CHECKING:
    from pathlib import Path

GPT_SIGNATURE = (512, GPT)  # of a raw image
HEAD = 1024  # bytes
FOOTER = 512  # bytes at a VHD's end


def is_marked(path: str | Path) -> bool:
    """Whether a regular file begins or ends as an image does. One that cannot be read does not."""
    return _are_marked(*_ends(path))


def may_be_a_disk(path: str | Path) -> bool:
    """Whether a file is marked as an image, or has the signature of an MBR or of a boot sector."""
    head, tail = _ends(path)
    return head.startswith(BOOT_SIGNATURE, BOOT_SIGNATURE_AT) or _are_marked(head, tail)


def _are_marked(head: bytes, tail: bytes) -> bool:
    from vmrescue.image.containers.container import SIGNATURES  # here, because it is slow to import

    return tail.startswith(VHD) or any(head.startswith(mark, at) for at, mark in (GPT_SIGNATURE, *SIGNATURES))


def _ends(path: str | Path) -> tuple[bytes, bytes]:
    try:
        with open(path, "rb", opener=open_regular) as stream:
            head = stream.read(HEAD)
            stream.seek(-min(FOOTER, stream.seek(0, os.SEEK_END)), os.SEEK_END)
            return head, stream.read()
    except (OSError, RefusedError):
        return b"", b""
