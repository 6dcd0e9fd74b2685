"""Raw images in pieces, ``disk.001``, ``disk.002``, …: they have no signature, only names."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vmrescue.device import next_data
from vmrescue.image.containers.foreign.disk import Foreign
from vmrescue.image.containers.raw_pieces import ends_as_vhd, first_piece_of_vhd, join_advice, later_pieces
from vmrescue.readers.opened_disk import Extent, joined

if TYPE_CHECKING:
    from vmrescue.image.containers.foreign.pieces import Pieces
    from vmrescue.readers.opened_disk import OpenedDisk


def _open(pieces: Pieces) -> OpenedDisk:
    stores = [pieces.first, *map(pieces.beside, later_pieces(pieces.path))]
    if ends_as_vhd(stores[-1]):
        raise first_piece_of_vhd(pieces.path)
    return joined([Extent(store.size, store.read_at, partial(next_data, store)) for store in stores])


SPLIT = Foreign("split raw", _open, join_advice)
