"""Virtual disks as arrays of bytes: files, block devices, VHDs, VHDX, copy on write, and the undo journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.device import BlockDevice, check_range
from vmrescue.image.containers.container import open_container
from vmrescue.image.containers.parents import parents_in
from vmrescue.image.journal import journal_folder, journals, pending
from vmrescue.image.journal_file import Journal, Region
from vmrescue.image.opening import EditSession, open_disk, undo
from vmrescue.image.overlay import Overlay
from vmrescue.image.risks import RISKS, Risk, accepting
from vmrescue.image.transports.file import FileDevice, ImageStore
from vmrescue.image.virtual_disk import VirtualDisk
from vmrescue.lazy import names_of

if TYPE_CHECKING:
    from vmrescue.image.containers.vhd_create import create_differencing, create_dynamic, create_fixed
    from vmrescue.image.containers.vhdx.create import create_vhdx, create_vhdx_child
    from vmrescue.image.copy import CopiedDisk, copy_to_fixed

Store = ImageStore  # its name in the first versions

__all__ = [
    "open_disk",
    "EditSession",
    "undo",
    "VirtualDisk",
    "BlockDevice",
    "Overlay",
    "FileDevice",
    "ImageStore",
    "Store",
    "open_container",
    "parents_in",
    "accepting",
    "Risk",
    "RISKS",
    "check_range",
    "Journal",
    "Region",
    "journal_folder",
    "journals",
    "pending",
    "copy_to_fixed",
    "CopiedDisk",
    "create_fixed",
    "create_dynamic",
    "create_differencing",
    "create_vhdx",
    "create_vhdx_child",
]

_LATER = {  # these need construct, which is slow to import
    "copy_to_fixed": "copy",
    "CopiedDisk": "copy",
    "create_fixed": "containers.vhd_create",
    "create_dynamic": "containers.vhd_create",
    "create_differencing": "containers.vhd_create",
    "create_vhdx": "containers.vhdx.create",
    "create_vhdx_child": "containers.vhdx.create",
}

__getattr__ = names_of(__name__, _LATER)
