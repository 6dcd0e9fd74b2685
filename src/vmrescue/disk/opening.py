"""Opening an image: the file, then its container, and the disk in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.disk.container import VirtualDisk, open_container
from vmrescue.disk.file import FileDevice

if TYPE_CHECKING:
    import os


def open_disk(path: str | os.PathLike[str], writable: bool = False) -> VirtualDisk:
    """The disk in an image file or on a block device; closing it closes the file.

    A writable disk writes straight through: that is for images being made. Repairs go through an overlay.

    Raises:
        ReadError, RefusedError: the file can't be opened.
        FormatError, UnsupportedError: it is no disk image, or of a kind that vmrescue does not read.
    """
    store = FileDevice(path, writable)
    try:
        return open_container(store, store.path)
    except BaseException:
        store.close()
        raise
