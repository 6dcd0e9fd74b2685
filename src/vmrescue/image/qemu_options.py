"""How QEMU is told of an image: its options, in which nothing is left to a guess.

Source: QEMU, "BlockdevOptions" of its QMP reference.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os

Blocks = dict[str, Any]
"""The options of an image: its driver, its file, what lies below it."""


def file_blocks(path: str | os.PathLike[str]) -> Blocks:
    """The options of a file of this machine."""
    return {"driver": "file", "filename": str(Path(path).absolute()), "locking": "auto"}
