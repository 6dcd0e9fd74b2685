"""SHA-256 as hexadecimal text: the hash in receipts, manifests and plans."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def file_sha256(path: Path) -> str:
    """The SHA-256 of a whole file on this machine."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256(chunks: Iterable[bytes]) -> str:
    """The SHA-256 of content in pieces."""
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()
