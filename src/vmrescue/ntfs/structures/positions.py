"""Types for positions: clusters of a volume, of a file, of what a file stores, and blocks of an index.

They are all whole numbers, and one in the place of another is a write to the wrong clusters; so each has a type of its
own. Bytes are plain numbers, called `offset` (in a file, or what is at hand) or `position` (on the volume); lengths and
counts are plain numbers too. So are clusters where all are the volume's: in `bitmap.Piece`, and where moves are
planned.
"""

from __future__ import annotations

from typing import NewType

Lcn = NewType("Lcn", int)  # a cluster of the volume, from its first on
Vcn = NewType("Vcn", int)  # a cluster of a file's attribute, holes counted
Nth = NewType("Nth", int)  # a cluster of an attribute among those that it stores, holes not counted
BlockVcn = NewType("BlockVcn", int)  # where an index's block begins, in units of `Index.unit`: clusters, or 512 bytes
