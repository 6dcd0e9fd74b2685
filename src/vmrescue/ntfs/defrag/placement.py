"""The places of a volume's attributes and its free clusters, updated by each move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from vmrescue.errors import RefusedError
from vmrescue.ntfs.defrag.free_extents import FreeExtents
from vmrescue.ntfs.defrag.layout import Placed
from vmrescue.ntfs.defrag.moving import part_of
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.ntfs.structures.positions import Lcn, Nth

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmrescue.ntfs.bitmap import Flip, Piece
    from vmrescue.ntfs.defrag.layout import Key

ZONE = 100  # at most this fraction (1/100) of the free clusters is kept free after $MFT, for it to grow


class Moves(Protocol):
    """Carries out the moves."""

    @property
    def full(self) -> bool:
        """Whether `commit` is due."""

    @property
    def largest_step(self) -> int:
        """The most clusters of one move."""

    def move(self, key: Key, start: Nth, count: int, target: Lcn) -> list[Flip]:
        """Moves `count` stored clusters of an attribute, from the `start`th on, to `target`; returns $Bitmap's changes.

        Raises RefusedError if that is not possible; nothing was changed.
        """

    def commit(self) -> None:
        """Brings all moves so far to stable storage. Only then may the clusters that they freed be used."""

    def reserve(self, first: int, count: int) -> None:
        """Reserves free clusters for later moves: growing file records must not take them. `count` 0 reserves none."""


class Placement:
    """A volume's attributes and its free clusters, and the moves that change both.

    Args:
        moves: carries out the moves.
        layout: every attribute that has clusters.
        free: the free clusters.
        clusters: number of clusters of the volume.
        zone: (first, length) of the clusters that NTFS keeps free for $MFT.
    """

    def __init__(
        self,
        moves: Moves,
        layout: Iterable[Placed],
        free: Iterable[Piece],
        clusters: int,
        zone: Piece,
    ) -> None:
        self._moves = moves
        self.free = FreeExtents(free)
        self.all_free = self.free.clusters
        self.freed = FreeExtents()  # clusters freed since the last commit
        self.places: dict[Key, tuple[Piece, ...]] = {}  # pieces of the attributes that may move
        self.fixed: list[Placed] = []  # attributes that must not move
        self.stuck: dict[Key, str] = {}  # attribute that could not be moved -> why
        self._at: dict[int, Key] = {}  # first cluster of a piece -> attribute
        for placed in layout:
            if placed.fixed:
                self.fixed.append(placed)
            else:
                self.put(placed.key, placed.pieces)
        self._lists = {each.pieces[0][0]: each for each in self.fixed if each.key.kind == Kind.ATTRIBUTE_LIST}
        self._clusters = clusters
        self.keep_zone(zone)

    def keep_zone(self, zone: Piece) -> None:
        """Keeps for $MFT the free clusters at the start of a range, up to the first that is in use."""
        self.zone = (zone[0], min(zone[1], self.free.length_at(zone[0]), self.all_free // ZONE))
        self.free.take(*self.zone)

    def length(self, key: Key) -> int:
        """The number of clusters of an attribute."""
        return sum(length for _, length in self.places[key])

    def piece_at(self, key: Key, cluster: int) -> tuple[int, int]:
        """The index of the piece that begins at `cluster`, and the number of the attribute's clusters before it."""
        before = 0
        for index, (first, length) in enumerate(self.places[key]):
            if first == cluster:
                return index, before
            before += length
        raise KeyError(cluster)

    def layout(self) -> Iterator[Placed]:
        """The present place of every attribute."""
        yield from self.fixed
        yield from (Placed(key, pieces, "") for key, pieces in self.places.items())

    def free_pieces(self) -> list[Piece]:
        """All free clusters, also those kept for $MFT."""
        pieces = FreeExtents(self.free)
        if self.zone[1]:
            pieces.give(*self.zone)
        return list(pieces)

    @property
    def longest_area(self) -> int:
        """The most clusters that a free extent could have, between attributes that do not move."""
        return max((end - start for start, end in self._areas()), default=0)

    @property
    def attainable(self) -> int:
        """The most clusters that the largest free extent can come to have."""
        return min(self.longest_area, self.all_free)

    def areas(self, alike: int = 100) -> list[Piece]:
        """The areas between attributes that do not move, as (start, end), in the order in which they are packed.

        The last is that in which most is free, of those that could hold `alike` percent of what the longest could.
        """
        areas = self._areas()
        least = self.attainable * alike
        long = [area for area in areas if min(area[1] - area[0], self.all_free) * 100 >= least]
        last = max(long, key=self._free_in, default=None)
        return [area for area in areas if area != last] + ([last] if last else [])

    def _free_in(self, area: Piece) -> int:
        start, end = area
        return sum(max(0, min(first + length, end) - max(first, start)) for first, length in self.free)

    def _areas(self) -> list[Piece]:
        """The areas in the order of the disk."""
        areas, start = [], 0
        fixed = sorted([self.zone, *(piece for placed in self.fixed for piece in placed.pieces)])
        for first, length in [*fixed, (self._clusters, 0)]:
            if start < first:
                areas.append((start, first))
            start = max(start, first + length)
        return areas

    def following(self, cluster: int) -> int:
        """The first cluster from `cluster` on that is in use; clusters freed since the last commit count as free."""
        while length := self.freed.length_at(cluster) or self.free.length_at(cluster):
            cluster += length
        return cluster

    def end_at(self, at: int, end: int) -> int:
        """The end of the piece at a cluster. If no known piece begins there: the next free cluster, at most `end`.

        It is `at` itself if clusters freed by moves had to be committed first.
        """
        key = self._at.get(at)
        if key is not None:
            return at + next(length for first, length in self.places[key] if first == at)
        if self.freed.clusters:
            self.commit()
            return at
        following = self.free.next_after(at)  # clusters that a move took for a file's records
        return end if following is None else min(following, end)

    # -- moves

    def move(self, key: Key, start: int, targets: list[Piece]) -> bool:
        """Moves an attribute's clusters, from the `start`th on, to `targets`. True if all of them were moved."""
        for first, length in targets:
            if self.free.length_at(first) < length:  # an earlier move took some for the file's records
                return False
            self.free.take(first, length)
            for done in range(0, length, self._moves.largest_step):
                count = min(self._moves.largest_step, length - done)
                self._moves.reserve(first + done, length - done)
                if not self._step(key, start, count, first + done):
                    self.free.give(first + done, length - done)
                    return False
                start += count
        return True

    def _step(self, key: Key, start: int, count: int, target: int) -> bool:
        try:
            flips = self._moves.move(key, Nth(start), count, Lcn(target))
        except RefusedError as error:
            self.stuck[key] = str(error)
            return False
        finally:
            self._moves.reserve(0, 0)
        for first, length, used in flips:
            if used:
                self.free.take(first, length)
                self.freed.take(first, length)
            else:
                self.freed.give(first, length)
                self._forget_list(first)
        self.put(key, relocated(self.places[key], start, count, target))
        if self._moves.full:
            self.commit()
        return True

    def _forget_list(self, cluster: int) -> None:
        """Drops an attribute list that began at a freed cluster: after a move a file may need no list any more."""
        gone = self._lists.pop(cluster, None)
        if gone is not None:
            self.fixed.remove(gone)

    def commit(self) -> None:
        """Brings all moves so far to stable storage; the clusters that they freed can be used from now on."""
        self._moves.commit()
        for first, length in self.freed:
            self.free.give(first, length)
        self.freed = FreeExtents()

    def put(self, key: Key, pieces: tuple[Piece, ...]) -> None:
        for first, _ in self.places.get(key, ()):
            del self._at[first]
        self.places[key] = pieces
        for first, _ in pieces:
            self._at[first] = key

    def fix_table(self, table: Placed) -> None:
        """Marks $MFT, after it was moved, as fixed again, and keeps free clusters after it."""
        pieces = self.places.pop(table.key)
        for first, _ in pieces:
            del self._at[first]
        self.fixed = [placed for placed in self.fixed if placed is not table] + [table._replace(pieces=pieces)]
        if self.zone[1]:
            self.free.give(*self.zone)
        self.keep_zone((sum(pieces[-1]), self._clusters))

    def at(self, cluster: int) -> Key | None:
        """The movable attribute with a piece that begins at a cluster; None if there is none."""
        return self._at.get(cluster)


def relocated(pieces: tuple[Piece, ...], start: int, count: int, target: int) -> tuple[Piece, ...]:
    """The pieces after `count` clusters, from the `start`th on, were moved to `target`."""
    total = sum(length for _, length in pieces)
    parts = [
        *part_of(pieces, Nth(0), start),
        (target, count),
        *part_of(pieces, Nth(start + count), total - start - count),
    ]
    found: list[Piece] = []
    for first, length in parts:
        if found and sum(found[-1]) == first:
            found[-1] = (found[-1][0], found[-1][1] + length)
        else:
            found.append((first, length))
    return tuple(found)
