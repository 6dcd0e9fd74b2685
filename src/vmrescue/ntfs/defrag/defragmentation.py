"""Plans the moves that bring each attribute into one piece and the free clusters into one extent.

Both are greedy and stop when nothing more is gained. Every move leaves a sound volume (see `moving`), so they may be
interrupted after any. Memory: the pieces of each attribute that has clusters, and two tuples for each free extent.

The first piece of $MFT stays, and its other pieces are joined into one. NTFS's other own files stay: see `layout`.

An attribute is moved to the shortest free extent into which it fits. If there is none, it is moved into fewer pieces.
`consolidation` joins the free clusters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.ntfs.defrag.consolidation import Consolidation, is_consolidated
from vmrescue.ntfs.defrag.layout import TABLE, Placed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmrescue.ntfs.defrag.layout import Key
    from vmrescue.ntfs.defrag.placement import Placement

LEAST_TABLE = 3  # $MFT is moved only if it has at least so many pieces, because two remain
ROUNDS = 5  # most rounds of defragmenting and consolidating; each may make room for the next


class Defragmenter:
    """Moves a volume's attributes."""

    def __init__(self, placement: Placement) -> None:
        self.placement = placement

    def fragmented(self) -> list[Key]:
        """The attributes in more than one piece that may move, longest first."""
        found = [key for key, pieces in self.placement.places.items() if len(pieces) > 1]
        return sorted(found, key=self.placement.length, reverse=True)

    def run(self, keys: Iterable[Key] | None = None, free_space: bool = False) -> None:
        """Brings attributes (None: all) into one piece each; with `free_space`, the free clusters into one extent."""
        wanted = None if keys is None else set(keys)
        if not free_space:
            self.defragment(self._wanted(wanted))
            if keys is None or TABLE in keys:
                self.gather_table()
            return
        for _ in range(ROUNDS):
            before = len(self._wanted(wanted)), self.placement.free.largest[1]
            self.defragment(self._wanted(wanted), partly=False)
            Consolidation(self.placement).run()
            if keys is None:
                self.gather_table()
            if (len(self._wanted(wanted)), self.placement.free.largest[1]) == before:
                break
            if is_consolidated(self.placement) and not self._wanted(wanted):
                return
        self.defragment(self._wanted(wanted))

    def estimate(self, keys: Iterable[Key] | None = None, free_space: bool = False) -> int:
        """About how many clusters `run` will move."""
        moved = sum(map(self.placement.length, self._wanted(None if keys is None else set(keys))))
        return moved + (self.placement.all_free - self.placement.free.largest[1] if free_space else 0)

    def _wanted(self, keys: set[Key] | None) -> list[Key]:
        return [key for key in self.fragmented() if keys is None or key in keys]

    def left(self) -> list[Placed]:
        """The attributes that are still in several pieces, with the reasons, worst first."""
        movable = [Placed(key, self.placement.places[key], self._why_left(key)) for key in self.fragmented()]
        fixed = [placed for placed in self.placement.fixed if len(placed.pieces) > 1]
        return sorted([*movable, *fixed], key=lambda placed: len(placed.pieces), reverse=True)

    def _why_left(self, key: Key) -> str:
        longest = self.placement.free.largest[1]
        none = f"no free extent has its {self.placement.length(key)} clusters; the longest has {longest}"
        return self.placement.stuck.get(key, none)

    def defragment(self, keys: Iterable[Key], partly: bool = True) -> None:
        """Moves each attribute into one piece; with `partly`, into fewer pieces if no free extent is long enough."""
        for key in keys:
            if not self._unite(key) and partly:
                self._lessen(key)
        self.placement.commit()

    def _unite(self, key: Key) -> bool:
        pieces, count = self.placement.places[key], self.placement.length(key)
        first, length = pieces[0]
        if self.placement.free.length_at(first + length) >= count - length:
            return self.placement.move(key, length, [(first + length, count - length)])
        target = self.placement.free.shortest(count)
        if target is None and self.placement.freed.clusters:
            self.placement.commit()
            target = self.placement.free.shortest(count)
        return target is not None and self.placement.move(key, 0, [(target, count)])

    def _lessen(self, key: Key) -> bool:
        """Moves an attribute to the longest free extents, if it then has less than half as many pieces."""
        targets = self.placement.free.longest(self.placement.length(key))
        return 0 < 2 * len(targets) < len(self.placement.places[key]) and self.placement.move(key, 0, targets)

    def gather_table(self) -> None:
        """Joins all pieces of $MFT but the first at the start of the largest free extent, where $MFT can grow."""
        table = next((placed for placed in self.placement.fixed if placed.key == TABLE), None)
        if table is None or len(table.pieces) < LEAST_TABLE:
            return
        first, rest = table.pieces[0][1], table.clusters - table.pieces[0][1]
        place, length = self.placement.free.largest
        if length < rest:
            return
        self.placement.put(TABLE, table.pieces)
        self.placement.move(TABLE, first, [(place, rest)])
        self.placement.commit()
        self.placement.fix_table(table)
