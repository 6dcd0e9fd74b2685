"""Containers that QEMU writes: their undo journal counts the bytes of the disk, not those of the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.image.containers.foreign.kinds import WRITTEN
from vmrescue.image.transports.file import FileDevice

if TYPE_CHECKING:
    from vmrescue.image.containers.foreign.disk import Foreign
    from vmrescue.image.reference import Reference
    from vmrescue.image.transports.file import HeldStore, ImageStore


def _kind_of(store: ImageStore) -> Foreign | None:
    """The row of an image, by its signature; None for all others."""
    head = store.read_at(0, min(LONGEST, store.size))
    marked = (kind for kind in WRITTEN for at, mark in kind.signatures if head[at : at + len(mark)] == mark)
    found = next(marked, None)
    return None if found is None else found.foreign


LONGEST = max(at + len(mark) for kind in WRITTEN for at, mark in kind.signatures)


def counts_the_disk(place: Reference) -> bool:
    """Whether the undo journals of an image count the bytes of its disk, and not those of its file."""
    if place.is_remote:
        return False
    file = place.open()
    try:
        return _kind_of(file) is not None
    finally:
        file.close()


def disk_to_read(store: ImageStore, path: str) -> ImageStore:
    """The disk in an image that QEMU writes, which then owns `store`; `store` itself for all others."""
    kind = _kind_of(store)
    return store if kind is None else kind.open(store, path)


def disk_to_write(store: HeldStore) -> HeldStore:
    """As `disk_to_read`, of an image that is locked, as a disk that can be written. Raises RefusedError."""
    kind = _kind_of(store) if isinstance(store, FileDevice) and not store.is_block_device else None
    if kind is None or not isinstance(store, FileDevice):
        return store
    from vmrescue.image.containers.foreign.qemu import QemuDisk  # here, because most images need no QEMU

    return QemuDisk(kind, store)
