"""VDI: VirtualBox's container, in one file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.image.containers.foreign.disk import Foreign
from vmrescue.readers.vdi import open_vdi

if TYPE_CHECKING:
    from vmrescue.image.containers.foreign.pieces import Pieces
    from vmrescue.readers.opened_disk import OpenedDisk


def _open(pieces: Pieces) -> OpenedDisk:
    return open_vdi(pieces.first, pieces.path)


VDI = Foreign("VDI", _open, ((64, b"\x7f\x10\xda\xbe"),))  # VirtualBox's VDICore.h
