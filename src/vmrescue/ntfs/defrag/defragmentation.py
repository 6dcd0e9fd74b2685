"""What to move where, so that each attribute lies in one piece and the free clusters in one extent.

Both are greedy and stop where nothing is won any more; every move is sound by itself (see `moving`), so they may be
broken off after any. Memory: for each attribute that has clusters, its pieces; two tuples for each free extent.

Of $MFT the first piece stays, and what follows it is gathered in one more. NTFS's other own files stay: see `layout`.

An attribute is moved to the shortest free extent that it fits in. Where there is none: to fewer pieces than it has.

Free clusters are consolidated by packing. The volume is walked from one end of what can be packed to the other. What
lies at the walker's place stays; a hole there is filled with the longest attribute that fits and lies furthest ahead.
Where none fits, the hole stays if few clusters have been lost that way; else what follows it slides down into it piece
by piece, or moves out of the way until something fits. The area that is walked last, and so stays free, is the longest
one without anything that may not move.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from typing import TYPE_CHECKING, Protocol

from vmrescue.errors import RefusedError
from vmrescue.ntfs.defrag.free_extents import FreeExtents
from vmrescue.ntfs.defrag.layout import TABLE, Placed
from vmrescue.ntfs.defrag.moving import part_of
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.ntfs.structures.positions import Lcn, Nth

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmrescue.ntfs.bitmap import Flip, Piece
    from vmrescue.ntfs.defrag.layout import Key

WON = 96  # percent of the free clusters that the largest extent is to hold
LOST = 100  # the part of the free clusters that may stay in small holes is one in so many
ZONE = 100  # the part that is left to $MFT behind it is one in so many, at most
SLIDES = 32  # an attribute slides down in so many steps at most
LEAST_TABLE = 3  # pieces of $MFT that are worth a move: there will be two
ROUNDS = 5  # of consolidating and defragmenting in turn; each may make room for the next


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


class Defragmenter:
    """A volume's attributes and its free clusters, as they are after each move.

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
        self._freed = FreeExtents()  # since the last commit
        self.places: dict[Key, tuple[Piece, ...]] = {}  # of what may move
        self.fixed: list[Placed] = []  # what may not move
        self._stuck: dict[Key, str] = {}  # what could not be moved, and why
        self._at: dict[int, Key] = {}  # the first cluster of each of their pieces
        for placed in layout:
            if placed.fixed:
                self.fixed.append(placed)
            else:
                self._put(placed.key, placed.pieces)
        self._lists = {each.pieces[0][0]: each for each in self.fixed if each.key.kind == Kind.ATTRIBUTE_LIST}
        self._clusters = clusters
        self._keep_zone(zone)

    def _keep_zone(self, zone: Piece) -> None:
        """Keeps free clusters of a range for $MFT; others than those that follow each other from its start are not."""
        self._zone = (zone[0], min(zone[1], self.free.length_at(zone[0]), self.all_free // ZONE))
        self.free.take(*self._zone)

    def fragmented(self) -> list[Key]:
        """What lies in more than one piece and may move, the longest first."""
        found = [key for key, pieces in self.places.items() if len(pieces) > 1]
        return sorted(found, key=self._length, reverse=True)

    def _length(self, key: Key) -> int:
        return sum(length for _, length in self.places[key])

    def run(self, keys: Iterable[Key] | None = None, free_space: bool = False) -> None:
        """Brings attributes (all unless given) to one piece each; and the free clusters to one extent, if asked."""
        wanted = None if keys is None else set(keys)
        if not free_space:
            self.defragment(self._wanted(wanted))
            if keys is None or TABLE in keys:
                self.gather_table()
            return
        for _ in range(ROUNDS):
            before = len(self._wanted(wanted)), self.free.largest[1]
            self.defragment(self._wanted(wanted), partly=False)
            self.consolidate()
            if keys is None:
                self.gather_table()
            if (len(self._wanted(wanted)), self.free.largest[1]) == before:
                break
            if self.consolidated and not self._wanted(wanted):
                return
        self.defragment(self._wanted(wanted))

    def estimate(self, keys: Iterable[Key] | None = None, free_space: bool = False) -> int:
        """About how many clusters `run` will move."""
        moved = sum(map(self._length, self._wanted(None if keys is None else set(keys))))
        return moved + (self.all_free - self.free.largest[1] if free_space else 0)

    def layout(self) -> Iterator[Placed]:
        """Where everything lies now."""
        yield from self.fixed
        yield from (Placed(key, pieces, "") for key, pieces in self.places.items())

    def free_pieces(self) -> list[Piece]:
        """All free clusters, those left to $MFT too."""
        pieces = FreeExtents(self.free)
        if self._zone[1]:
            pieces.give(*self._zone)
        return list(pieces)

    def _wanted(self, keys: set[Key] | None) -> list[Key]:
        return [key for key in self.fragmented() if keys is None or key in keys]

    def left(self) -> list[Placed]:
        """What lies in several pieces, with the reason why it does, the worst first."""
        movable = [Placed(key, self.places[key], self._why_left(key)) for key in self.fragmented()]
        fixed = [placed for placed in self.fixed if len(placed.pieces) > 1]
        return sorted([*movable, *fixed], key=lambda placed: len(placed.pieces), reverse=True)

    def _why_left(self, key: Key) -> str:
        longest = self.free.largest[1]
        none = f"no free extent has its {self._length(key)} clusters; the longest has {longest}"
        return self._stuck.get(key, none)

    # -- attributes in one piece

    def defragment(self, keys: Iterable[Key], partly: bool = True) -> None:
        """Moves each to one piece; `partly`: to fewer, where no free extent is long enough."""
        for key in keys:
            if not self._unite(key) and partly:
                self._lessen(key)
        self.commit()

    def _unite(self, key: Key) -> bool:
        pieces, count = self.places[key], self._length(key)
        first, length = pieces[0]
        if self.free.length_at(first + length) >= count - length:
            return self._move(key, length, [(first + length, count - length)])
        target = self.free.shortest(count)
        if target is None and self._freed.clusters:
            self.commit()
            target = self.free.shortest(count)
        return target is not None and self._move(key, 0, [(target, count)])

    def _lessen(self, key: Key) -> bool:
        """Moves an attribute to the longest free extents, if it then lies in less than half as many pieces."""
        targets = self.free.longest(self._length(key))
        return 0 < 2 * len(targets) < len(self.places[key]) and self._move(key, 0, targets)

    def gather_table(self) -> None:
        """Moves what follows the first piece of $MFT, which stays, to one place with room behind it to grow into."""
        table = next((placed for placed in self.fixed if placed.key == TABLE), None)
        if table is None or len(table.pieces) < LEAST_TABLE:
            return
        first, rest = table.pieces[0][1], table.clusters - table.pieces[0][1]
        place, length = self.free.largest
        if length < rest:
            return
        self._put(TABLE, table.pieces)
        self._move(TABLE, first, [(place, rest)])
        self.commit()
        pieces = self.places.pop(TABLE)
        for start, _ in pieces:
            del self._at[start]
        self.fixed = [placed for placed in self.fixed if placed is not table] + [table._replace(pieces=pieces)]
        if self._zone[1]:
            self.free.give(*self._zone)
        self._keep_zone((sum(pieces[-1]), self._clusters))

    # -- free clusters in one extent

    def consolidate(self) -> None:
        """Packs what may move, until the largest free extent has `WON` percent of what is free."""
        areas = self._areas()
        order, shelf = _Order(areas), _Shelf()
        for key, pieces in self.places.items():
            if key not in self._stuck:
                shelf.put(self._length(key), min(order.place(first) for first, _ in pieces), key)
        lost = 0
        for start, end in areas:
            lost += self._pack(start, end, shelf, order, self.all_free // LOST - lost)
        self.commit()

    def _pack(self, at: int, end: int, shelf: _Shelf, order: _Order, losable: int) -> int:
        """Packs an area; returns how many clusters were left in holes."""
        lost, turned = 0, False
        passed: list[int] = []
        while at < end and not self.consolidated:
            hole = min(self.free.length_at(at), end - at)
            if not hole:
                passed.append(at)
                at = self._behind(at, end)
                continue
            if moved := self._fill(at, hole, shelf, order) or self._go_on(at, hole, passed, order):
                passed.append(at)
                at += moved
            elif lost + hole <= losable:
                at, lost = at + hole, lost + hole
            elif moved := self._slide(at, hole, end):
                passed.append(at)
                at += moved
            elif self._make_way(at, hole, end, shelf, order):
                continue
            elif at + hole == end and not turned:
                at, turned = self._turn_back(at, hole, passed, shelf, order), True
            else:
                at, lost = at + hole, lost + hole
        return lost

    def _fill(self, at: int, hole: int, shelf: _Shelf, order: _Order) -> int:
        """Moves the longest attribute that fits to a hole; returns its clusters."""
        while key := shelf.take(hole, order.place(at)):
            count = self._length(key)
            if self._move(key, 0, [(at, count)]):
                return count
        return 0

    def _go_on(self, at: int, hole: int, passed: list[int], order: _Order) -> int:
        """Where what ends before a hole is too long for any area: has more of it follow, from further ahead."""
        key = self._at.get(passed[-1]) if passed else None
        if key is None or self._length(key) <= self.longest_area:
            return 0
        pieces = self.places[key]
        index, before = self._piece_at(key, passed[-1])
        if sum(pieces[index]) != at or index + 1 == len(pieces) or order.place(pieces[index + 1][0]) < order.place(at):
            return 0
        count = min(hole, pieces[index + 1][1])
        return count if self._move(key, before + pieces[index][1], [(at, count)]) else 0

    def _piece_at(self, key: Key, cluster: int) -> tuple[int, int]:
        """Which piece of an attribute begins at a cluster, and how many clusters come before that piece."""
        before = 0
        for index, (first, length) in enumerate(self.places[key]):
            if first == cluster:
                return index, before
            before += length
        raise KeyError(cluster)

    def _turn_back(self, at: int, hole: int, passed: list[int], shelf: _Shelf, order: _Order) -> int:
        """Moves what lies before an area's last hole to the far end, as far back as there is enough that is shorter
        than the hole: with it and what is longer the area can then be filled to its end. Returns where that begins.
        """
        missing = (shelf.shortest(order.place(at)) or 0) - hole
        away: list[Key] = []
        for place in reversed(passed):
            key = self._at.get(place)
            if missing <= 0 or key is None or len(self.places[key]) > 1:
                break
            away.append(key)
            missing -= self._length(key) if self._length(key) <= hole else 0
        first, length = self.free.largest
        if missing > 0 or sum(map(self._length, away)) > length or order.place(first) <= order.place(at):
            return at + hole
        start, target = at, first + length
        for key in away:
            place, count = self.places[key][0]
            target -= count
            if not self._move(key, 0, [(target, count)]):
                break
            shelf.put(count, order.place(target), key)
            start = place
        self.commit()
        return start

    def _move_away(self, key: Key, beyond: int, shelf: _Shelf, order: _Order) -> bool:
        """Moves an attribute of one piece to the end of the largest free extent, if that lies beyond a place."""
        count = self._length(key)
        first, length = self.free.largest
        if len(self.places[key]) > 1 or count > length or order.place(first) <= beyond:
            return False
        target = first + length - count
        if not self._move(key, 0, [(target, count)]):
            return False
        shelf.put(count, order.place(target), key)
        return True

    @property
    def consolidated(self) -> bool:
        """Whether nearly all free clusters are one extent."""
        return self.free.largest[1] * 100 >= self.all_free * WON

    @property
    def longest_area(self) -> int:
        """How many clusters the largest free extent could have at most: what does not move parts the volume."""
        return max((end - start for start, end in self._areas()), default=0)

    def _areas(self) -> list[Piece]:
        """(start, end) of what lies between things that do not move, in the order in which it is packed."""
        areas, start = [], 0
        fixed = sorted([self._zone, *(piece for placed in self.fixed for piece in placed.pieces)])
        for first, length in [*fixed, (self._clusters, 0)]:
            if start < first:
                areas.append((start, first))
            start = max(start, first + length)
        longest = max(areas, key=lambda area: area[1] - area[0], default=None)
        return [area for area in areas if area != longest] + ([longest] if longest else [])

    def _behind(self, at: int, end: int) -> int:
        """The end of what lies at the walker's place."""
        key = self._at.get(at)
        if key is not None:
            return at + next(length for first, length in self.places[key] if first == at)
        if self._freed.clusters:
            self.commit()
            return at
        following = self.free.next_after(at)  # the moves have put something of their own there
        return end if following is None else min(following, end)

    def _slide(self, at: int, hole: int, end: int) -> int:
        """Moves the piece that follows a hole down into it, one hole's length after the other. Returns its clusters."""
        place = self._following(at + hole)
        key = self._at.get(place)
        if key is None:
            return 0
        index, before = self._piece_at(key, place)
        count = self.places[key][index][1]
        if place + count > end or count > hole * SLIDES:
            return 0
        for start in range(0, count, hole):
            if start:
                self.commit()
            if not self._move(key, before + start, [(at + start, min(hole, count - start))]):
                return start
        return count

    def _following(self, cluster: int) -> int:
        """Where, from a cluster on, there is something again; what has just been moved away is nothing."""
        while length := self._freed.length_at(cluster) or self.free.length_at(cluster):
            cluster += length
        return cluster

    def _make_way(self, at: int, hole: int, end: int, shelf: _Shelf, order: _Order) -> bool:
        """Moves what follows a hole to the far end, until the shortest attribute ahead would fit."""
        wanted = shelf.shortest(order.place(at))
        moved = False
        while wanted is not None and hole < wanted:
            place = self._following(at + hole)
            key = self._at.get(place)
            if (
                key is None
                or place + self._length(key) > end
                or not self._move_away(key, order.place(place), shelf, order)
            ):
                break
            moved = True
            hole = self._following(place) - at
        if moved:
            self.commit()
        return moved

    # -- moves

    def _move(self, key: Key, start: int, targets: list[Piece]) -> bool:
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
            self._stuck[key] = str(error)
            return False
        finally:
            self._moves.reserve(0, 0)
        for first, length, used in flips:
            if used:
                self.free.take(first, length)
                self._freed.take(first, length)
            else:
                self._freed.give(first, length)
                self._forget_list(first)
        self._put(key, relocated(self.places[key], start, count, target))
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
        for first, length in self._freed:
            self.free.give(first, length)
        self._freed = FreeExtents()

    def _put(self, key: Key, pieces: tuple[Piece, ...]) -> None:
        for first, _ in self.places.get(key, ()):
            del self._at[first]
        self.places[key] = pieces
        for first, _ in pieces:
            self._at[first] = key


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


class _Order:
    """Clusters in the order in which areas are packed."""

    def __init__(self, areas: list[Piece]) -> None:
        self._areas = sorted((start, before) for (start, _), before in zip(areas, _ends(areas), strict=True))

    def place(self, cluster: int) -> int:
        """How many clusters come before this one."""
        index = bisect_right(self._areas, (cluster, 1 << 62)) - 1
        start, before = self._areas[max(index, 0)]
        return before + cluster - start


def _ends(areas: list[Piece]) -> list[int]:
    """How many clusters are in the areas before each."""
    before, total = [], 0
    for start, end in areas:
        before.append(total)
        total += end - start
    return before


class _Shelf:
    """Attributes by length, those of one length by place: what is moved to a hole is taken from here, once."""

    def __init__(self) -> None:
        self._lengths: list[int] = []
        self._by_length: dict[int, list[tuple[int, Key]]] = {}
        self._places: dict[Key, int] = {}

    def put(self, length: int, place: int, key: Key) -> None:
        """Something new, or at another place than before."""
        if not self._by_length.setdefault(length, []):
            index = bisect_left(self._lengths, length)
            if self._lengths[index : index + 1] != [length]:
                self._lengths.insert(index, length)
        insort(self._by_length[length], (place, key))
        self._places[key] = place

    def take(self, longest: int, beyond: int) -> Key | None:
        """The longest of `longest` clusters at most that lies beyond a place; of several, the furthest."""
        index = bisect_right(self._lengths, longest) - 1
        while index >= 0:
            found = self._furthest(self._lengths[index], beyond)
            if found is not None:
                self._by_length[self._lengths[index]].pop()
                del self._places[found]
                return found
            del self._lengths[index]
            index -= 1
        return None

    def shortest(self, beyond: int) -> int | None:
        """The least length of what lies beyond a place."""
        while self._lengths and self._furthest(self._lengths[0], beyond) is None:
            del self._lengths[0]
        return self._lengths[0] if self._lengths else None

    def _furthest(self, length: int, beyond: int) -> Key | None:
        """What lies furthest; what has been moved since, and what lies behind for good, is forgotten."""
        entries = self._by_length[length]
        while entries:
            place, key = entries[-1]
            if self._places.get(key) == place:
                if place >= beyond:
                    return key
                entries.clear()
            else:
                entries.pop()
        return None
