"""Where the attributes of a volume lie and which clusters are free, as both are after each move."""

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

ZONE = 100  # the part that is left to $MFT behind it is one in so many, at most


class Moves(Protocol):
    """Who carries the moves out."""

    @property
    def full(self) -> bool:
        """Whether `commit` is due."""

    @property
    def largest_step(self) -> int:
        """Clusters that one move may have at most."""

    def move(self, key: Key, start: Nth, count: int, target: Lcn) -> list[Flip]:
        """Moves `count` stored clusters of an attribute, from the `start`th on, to `target`; returns $Bitmap's changes.

        Raises RefusedError where that cannot be done; nothing was changed.
        """

    def commit(self) -> None:
        """Brings all moves so far to stable storage. What they freed may be used only then."""

    def reserve(self, first: int, count: int) -> None:
        """Keeps free clusters for moves to come from what the moves themselves need; no clusters, none."""


class Placement:
    """A volume's attributes and its free clusters, and the moves that change both.

    Args:
        moves: who carries them out.
        layout: every attribute that has clusters.
        free: the free clusters.
        clusters: of the volume.
        zone: (first, length) of what NTFS keeps free for $MFT.
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
        self.freed = FreeExtents()  # since the last commit
        self.places: dict[Key, tuple[Piece, ...]] = {}  # of what may move
        self.fixed: list[Placed] = []  # what may not move
        self.stuck: dict[Key, str] = {}  # what could not be moved, and why
        self._at: dict[int, Key] = {}  # whose piece begins at a cluster
        for placed in layout:
            if placed.fixed:
                self.fixed.append(placed)
            else:
                self.put(placed.key, placed.pieces)
        self._lists = {each.pieces[0][0]: each for each in self.fixed if each.key.kind == Kind.ATTRIBUTE_LIST}
        self._clusters = clusters
        self.keep_zone(zone)

    def keep_zone(self, zone: Piece) -> None:
        """Keeps free clusters of a range for $MFT; others than those that follow each other from its start are not."""
        self.zone = (zone[0], min(zone[1], self.free.length_at(zone[0]), self.all_free // ZONE))
        self.free.take(*self.zone)

    def length(self, key: Key) -> int:
        """Clusters that an attribute has."""
        return sum(length for _, length in self.places[key])

    def piece_at(self, key: Key, cluster: int) -> tuple[int, int]:
        """Which piece of an attribute begins at a cluster, and how many clusters come before that piece."""
        before = 0
        for index, (first, length) in enumerate(self.places[key]):
            if first == cluster:
                return index, before
            before += length
        raise KeyError(cluster)

    def layout(self) -> Iterator[Placed]:
        """Where everything lies now."""
        yield from self.fixed
        yield from (Placed(key, pieces, "") for key, pieces in self.places.items())

    def free_pieces(self) -> list[Piece]:
        """All free clusters, those left to $MFT too."""
        pieces = FreeExtents(self.free)
        if self.zone[1]:
            pieces.give(*self.zone)
        return list(pieces)

    @property
    def longest_area(self) -> int:
        """How many clusters the largest free extent could have at most: what does not move parts the volume."""
        return max((end - start for start, end in self.areas()), default=0)

    def areas(self) -> list[Piece]:
        """(start, end) of what lies between things that do not move, in the order in which it is packed."""
        areas, start = [], 0
        fixed = sorted([self.zone, *(piece for placed in self.fixed for piece in placed.pieces)])
        for first, length in [*fixed, (self._clusters, 0)]:
            if start < first:
                areas.append((start, first))
            start = max(start, first + length)
        longest = max(areas, key=lambda area: area[1] - area[0], default=None)
        return [area for area in areas if area != longest] + ([longest] if longest else [])

    def following(self, cluster: int) -> int:
        """Where, from a cluster on, there is something again; what has just been moved away is nothing."""
        while length := self.freed.length_at(cluster) or self.free.length_at(cluster):
            cluster += length
        return cluster

    def end_at(self, at: int, end: int) -> int:
        """The end of what lies at a cluster; `end` where nothing does before it."""
        key = self._at.get(at)
        if key is not None:
            return at + next(length for first, length in self.places[key] if first == at)
        if self.freed.clusters:
            self.commit()
            return at
        following = self.free.next_after(at)  # the moves have put something of their own there
        return end if following is None else min(following, end)

    # -- moves

    def move(self, key: Key, start: int, targets: list[Piece]) -> bool:
        """Moves an attribute's clusters, from the `start`th on, to free ones; whether all of that could be done."""
        for first, length in targets:
            if self.free.length_at(first) < length:  # an earlier move needed some for the file's records
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
        """A file that needs one record less than before may need no attribute list any more."""
        gone = self._lists.pop(cluster, None)
        if gone is not None:
            self.fixed.remove(gone)

    def commit(self) -> None:
        """Brings all moves so far to stable storage; what they freed may be used now."""
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
        """Has $MFT, which was moved, be again what may not move, and keeps free clusters behind it."""
        pieces = self.places.pop(table.key)
        for first, _ in pieces:
            del self._at[first]
        self.fixed = [placed for placed in self.fixed if placed is not table] + [table._replace(pieces=pieces)]
        if self.zone[1]:
            self.free.give(*self.zone)
        self.keep_zone((sum(pieces[-1]), self._clusters))

    def at(self, cluster: int) -> Key | None:
        """Whose piece begins at a cluster, of what may move."""
        return self._at.get(cluster)


def relocated(pieces: tuple[Piece, ...], start: int, count: int, target: int) -> tuple[Piece, ...]:
    """The pieces with `count` clusters, from the `start`th on, at `target`."""
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
