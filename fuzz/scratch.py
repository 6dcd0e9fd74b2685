"""Folders for the files that a parser needs on a disk; they go when the program ends, also those of its processes."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")


@functools.cache
def _root() -> tempfile.TemporaryDirectory[str]:
    """In memory where the machine has such a place."""
    return tempfile.TemporaryDirectory(prefix="vmrescue-fuzz-", dir=_MEMORY if _MEMORY.is_dir() else None)


def begin() -> None:
    """To be called before processes are forked: they are killed, and clean up nothing."""
    _root()


def folder() -> Path:
    """A new one."""
    return Path(tempfile.mkdtemp(dir=_root().name))
