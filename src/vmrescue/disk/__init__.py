"""A virtual disk as an array of bytes: files, block devices, VHDs, copy on write, and the undo journal."""

from __future__ import annotations

from vmrescue.disk.container import VirtualDisk, open_container
from vmrescue.disk.device import BlockDevice, check_range
from vmrescue.disk.file import FileDevice, Store
from vmrescue.disk.opening import open_disk
from vmrescue.disk.overlay import Overlay

__all__ = [
    "open_disk",
    "VirtualDisk",
    "BlockDevice",
    "Overlay",
    "FileDevice",
    "Store",
    "open_container",
    "check_range",
]
