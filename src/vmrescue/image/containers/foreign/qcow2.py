"""QCOW2: QEMU's container, in one file. An image with a backing file is not read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.image.containers.foreign.disk import Foreign
from vmrescue.readers.qcow2 import open_qcow2

if TYPE_CHECKING:
    from vmrescue.image.containers.foreign.pieces import Pieces
    from vmrescue.readers.opened_disk import OpenedDisk


def _open(pieces: Pieces) -> OpenedDisk:
    return open_qcow2(pieces.first, pieces.path, QCOW2.advice_for(pieces.path))


# QEMU, docs/interop/qcow2.rst
QCOW2 = Foreign("QCOW2", _open, ((0, b"QFI\xfb\0\0\0\x02"), (0, b"QFI\xfb\0\0\0\x03")))
