"""VDI: VirtualBox's container, in one file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import RefusedError
from vmrescue.image.containers.foreign.disk import Foreign
from vmrescue.image.qemu_options import file_blocks
from vmrescue.readers.vdi import check_vdi, open_vdi

if TYPE_CHECKING:
    from vmrescue.image.containers.foreign.pieces import Pieces
    from vmrescue.image.qemu_options import Blocks
    from vmrescue.readers.opened_disk import OpenedDisk


def _open(pieces: Pieces) -> OpenedDisk:
    return open_vdi(pieces.first, pieces.path)


def _blocks(pieces: Pieces) -> Blocks:
    _, oddities = check_vdi(pieces.first, pieces.path)
    if oddities:  # QEMU does not look, and would put new blocks where others are
        raise RefusedError(f"{pieces.path} is not written: {oddities[0]}; write to a copy (--copy-to)")
    return {"driver": "vdi", "file": file_blocks(str(pieces.path))}


VDI = Foreign("VDI", _open, blocks=_blocks, qemu_name="vdi")
