"""VHDX: Hyper-V's container, in one file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue import signatures
from vmrescue.image.containers.foreign.disk import Foreign
from vmrescue.readers.vhdx import open_vhdx

if TYPE_CHECKING:
    from vmrescue.image.containers.foreign.pieces import Pieces
    from vmrescue.readers.opened_disk import OpenedDisk


def _open(pieces: Pieces) -> OpenedDisk:
    return open_vhdx(pieces.first, pieces.path)


VHDX = Foreign("VHDX", _open, ((0, signatures.VHDX),))
