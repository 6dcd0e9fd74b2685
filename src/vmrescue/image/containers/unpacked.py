"""A disk that was opened already, below the undo journal: no container has to be recognised in its bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.image.containers.raw import RawImage
from vmrescue.image.overlay import Overlay
from vmrescue.image.virtual_disk import VirtualDisk

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.image.transports.file import ImageStore


def disk_below(store: ImageStore) -> VirtualDisk | None:
    """The disk that a store is, or over which it lies; None if it is the bytes of a file."""
    base = store.base if isinstance(store, Overlay) else store
    return base if isinstance(base, VirtualDisk) else None


def open_unpacked(store: ImageStore, path: str | None, parent_folder: Path | None) -> VirtualDisk:
    """The disk itself; or the disk with an overlay's changes, which has the facts of the one below."""
    if isinstance(store, VirtualDisk):
        return store
    disk = RawImage(store)
    if (below := disk_below(store)) is not None:
        disk.learn(**vars(below.facts))
    return disk
