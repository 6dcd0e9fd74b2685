"""A virtual disk as an array of bytes: files, block devices, VHDs, copy on write, and the undo journal."""

from __future__ import annotations

from vmrescue.disk.container import VirtualDisk, open_container
from vmrescue.disk.device import BlockDevice, check_range
from vmrescue.disk.file import FileDevice, Store, WriteError
from vmrescue.disk.journal import journal_folder, journals, pending
from vmrescue.disk.journal_file import Journal, Region
from vmrescue.disk.opening import EditSession, open_disk, undo
from vmrescue.disk.overlay import Overlay

__all__ = [
    "open_disk",
    "EditSession",
    "undo",
    "VirtualDisk",
    "BlockDevice",
    "Overlay",
    "FileDevice",
    "Store",
    "WriteError",
    "open_container",
    "check_range",
    "Journal",
    "Region",
    "journal_folder",
    "journals",
    "pending",
]
