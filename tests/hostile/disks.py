"""A small disk with a Windows in it, for tests that need a whole image and many of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuzz.rooms.whole import small_disk

if TYPE_CHECKING:
    from pathlib import Path


def small_image(folder: Path, name: str = "small.raw") -> Path:
    """4 MiB: an MBR, one NTFS volume, a boot store with a bad memory list, a SYSTEM hive."""
    path = folder / name
    path.write_bytes(small_disk())
    return path
