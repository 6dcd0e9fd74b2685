"""Folders for the files that a parser needs on a disk; they go when the process ends."""

from __future__ import annotations

import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")
_HELD: list[tempfile.TemporaryDirectory[str]] = []


def folder() -> Path:
    """A new one, in memory where the machine has such a place."""
    made = tempfile.TemporaryDirectory(prefix="vmrescue-fuzz-", dir=_MEMORY if _MEMORY.is_dir() else None)
    _HELD.append(made)
    return Path(made.name)
