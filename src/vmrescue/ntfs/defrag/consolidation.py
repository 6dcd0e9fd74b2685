"""Joins free clusters into one extent by packing the attributes between them.

Attributes that must not move divide the volume into areas. The areas are packed one after the other, from the start of
each; the longest area comes last, so that its end stays free. Of areas that are about as long, it is the emptiest.
A position goes through the area: attributes there stay. A hole (free clusters) there is filled with the longest
attribute that fits; of several, with the one furthest ahead. If none fits, the hole is left if the clusters in such
holes are still few. Otherwise the attribute after the hole slides down into it, piece by piece, or is moved out of the
way until another attribute fits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.ntfs.defrag.shelf import Order, Shelf

if TYPE_CHECKING:
    from vmrescue.ntfs.defrag.layout import Key
    from vmrescue.ntfs.defrag.placement import Placement

WON = 96  # the goal: the largest extent has this percent of what the free clusters and the areas let it have
LOST = 100  # at most this fraction (1/100) of the free clusters may be left in small holes
SLIDES = 32  # most steps in which an attribute slides down


def is_consolidated(placement: Placement) -> bool:
    """Whether the largest free extent has `WON` percent of the clusters that it could have."""
    return _is_reached(placement, placement.attainable)


def _is_reached(placement: Placement, attainable: int) -> bool:
    return placement.free.largest[1] * 100 >= attainable * WON


class Consolidation:
    """One pass over the volume."""

    def __init__(self, placement: Placement) -> None:
        self._placed = placement
        self._areas = placement.areas(WON)
        self._attainable, self._longest = placement.attainable, placement.longest_area
        self._order, self._shelf = Order(self._areas), Shelf()
        for key, pieces in placement.places.items():
            if key not in placement.stuck:
                self._shelf.put(placement.length(key), min(self._order.place(first) for first, _ in pieces), key)

    def run(self) -> None:
        """Packs what may move, until `is_consolidated`."""
        losable = self._placed.all_free // LOST
        for start, end in self._areas:
            losable -= self._pack(start, end, losable)
        self._placed.commit()

    def _pack(self, at: int, end: int, losable: int) -> int:
        """Packs an area. Returns the number of clusters left in holes."""
        lost, turned = 0, False
        passed: list[int] = []
        while at < end and not _is_reached(self._placed, self._attainable):
            hole = min(self._placed.free.length_at(at), end - at)
            if not hole:
                passed.append(at)
                at = self._placed.end_at(at, end)
                continue
            if moved := self._fill(at, hole) or self._go_on(at, hole, passed):
                passed.append(at)
                at += moved
            elif lost + hole <= losable:
                at, lost = at + hole, lost + hole
            elif moved := self._slide(at, hole, end):
                passed.append(at)
                at += moved
            elif self._make_way(at, hole, end):
                continue
            elif at + hole == end and not turned:
                at, turned = self._turn_back(at, hole, passed), True
            else:
                at, lost = at + hole, lost + hole
        return lost

    def _fill(self, at: int, hole: int) -> int:
        """Moves the longest attribute that fits into a hole. Returns its number of clusters; 0 if none fits."""
        while key := self._shelf.take(hole, self._order.place(at)):
            count = self._placed.length(key)
            if self._placed.move(key, 0, [(at, count)]):
                return count
        return 0

    def _go_on(self, at: int, hole: int, passed: list[int]) -> int:
        """Moves more clusters of the attribute that ends before the hole into it, if it is too long for any area.

        Returns the number of clusters moved.
        """
        key = self._placed.at(passed[-1]) if passed else None
        if key is None or self._placed.length(key) <= self._longest:
            return 0
        pieces = self._placed.places[key]
        index, before = self._placed.piece_at(key, passed[-1])
        if (
            sum(pieces[index]) != at
            or index + 1 == len(pieces)
            or self._order.place(pieces[index + 1][0]) < self._order.place(at)
        ):
            return 0
        count = min(hole, pieces[index + 1][1])
        return count if self._placed.move(key, before + pieces[index][1], [(at, count)]) else 0

    def _turn_back(self, at: int, hole: int, passed: list[int]) -> int:
        """Makes an area's last hole longer, if no attribute fits: moves attributes before it to the far end.

        It moves as many as are needed so that, together with longer ones ahead, the area can be filled to its end.
        Returns the cluster at which packing goes on.
        """
        missing = (self._shelf.shortest(self._order.place(at)) or 0) - hole
        away: list[Key] = []
        for place in reversed(passed):
            key = self._placed.at(place)
            if missing <= 0 or key is None or len(self._placed.places[key]) > 1:
                break
            away.append(key)
            missing -= self._placed.length(key) if self._placed.length(key) <= hole else 0
        first, length = self._placed.free.largest
        if (
            missing > 0
            or sum(map(self._placed.length, away)) > length
            or self._order.place(first) <= self._order.place(at)
        ):
            return at + hole
        start, target = at, first + length
        for key in away:
            place, count = self._placed.places[key][0]
            target -= count
            if not self._placed.move(key, 0, [(target, count)]):
                break
            self._shelf.put(count, self._order.place(target), key)
            start = place
        self._placed.commit()
        return start

    def _move_away(self, key: Key, beyond: int) -> bool:
        """Moves an attribute of one piece to the end of the largest free extent, if that is packed after `beyond`."""
        count = self._placed.length(key)
        first, length = self._placed.free.largest
        if len(self._placed.places[key]) > 1 or count > length or self._order.place(first) <= beyond:
            return False
        target = first + length - count
        if not self._placed.move(key, 0, [(target, count)]):
            return False
        self._shelf.put(count, self._order.place(target), key)
        return True

    def _slide(self, at: int, hole: int, end: int) -> int:
        """Moves the piece after a hole down into it, in steps of the hole's length. Returns the clusters moved."""
        place = self._placed.following(at + hole)
        key = self._placed.at(place)
        if key is None:
            return 0
        index, before = self._placed.piece_at(key, place)
        count = self._placed.places[key][index][1]
        if place + count > end or count > hole * SLIDES:
            return 0
        for start in range(0, count, hole):
            if start:
                self._placed.commit()
            if not self._placed.move(key, before + start, [(at + start, min(hole, count - start))]):
                return start
        return count

    def _make_way(self, at: int, hole: int, end: int) -> bool:
        """Moves attributes after a hole to the far end, until the shortest one ahead fits. True if any was moved."""
        wanted = self._shelf.shortest(self._order.place(at))
        moved = False
        while wanted is not None and hole < wanted:
            place = self._placed.following(at + hole)
            key = self._placed.at(place)
            if (
                key is None
                or place + self._placed.length(key) > end
                or not self._move_away(key, self._order.place(place))
            ):
                break
            moved = True
            hole = self._placed.following(place) - at
        if moved:
            self._placed.commit()
        return moved
