"""Types for positions: clusters of a volume, of a file, of what a file stores, and blocks of an index.

All are integers, and mixing them up would write to wrong clusters, so each has its own type. Positions in bytes are
plain integers, called `offset` (in a file or buffer) or `position` (on the volume). Lengths and counts are plain
integers too, and so are clusters in code that knows only clusters of the volume: `bitmap.Piece`, and the planning of
moves.
"""

from __future__ import annotations

from typing import NewType

Lcn = NewType("Lcn", int)  # a cluster of the volume, counted from its start
Vcn = NewType("Vcn", int)  # a cluster of an attribute, counted from its start, holes included
Nth = NewType("Nth", int)  # a stored cluster of an attribute, counted from 0, holes not included
BlockVcn = NewType("BlockVcn", int)  # where a block of an index begins, in units of `Index.unit`: clusters or 512 bytes
