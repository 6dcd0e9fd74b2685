"""What is moved where: free extents and pieces kept in memory, against sets of clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from vmrescue.ntfs.defrag.defragmentation import Defragmenter
from vmrescue.ntfs.defrag.free_extents import FreeExtents
from vmrescue.ntfs.defrag.layout import TABLE, Key, Placed
from vmrescue.ntfs.defrag.moving import part_of, placed_elsewhere
from vmrescue.ntfs.defrag.placement import Placement, relocated
from vmrescue.ntfs.structures.positions import Lcn, Nth
from vmrescue.ntfs.structures.run_list import HOLE, Run, RunList
from vmrescue.transaction.defragmenting import Rehearsal

if TYPE_CHECKING:
    from vmrescue.ntfs.bitmap import Flip, Piece

CLUSTERS = 200


def clusters_of(pieces: list[Piece] | tuple[Piece, ...]) -> list[int]:
    return [cluster for first, length in pieces for cluster in range(first, first + length)]


def pieces_of(clusters: set[int]) -> list[Piece]:
    found: list[Piece] = []
    for cluster in sorted(clusters):
        if found and sum(found[-1]) == cluster:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((cluster, 1))
    return found


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, CLUSTERS), st.integers(1, 30)), max_size=30))
def test_free_extents_are_those_of_the_set_of_free_clusters(steps: list[tuple[bool, int, int]]) -> None:
    extents, free = FreeExtents(), set[int]()
    for gives, first, length in steps:
        touched = set(range(first, first + length))
        if gives and not free & touched:
            extents.give(first, length)
            free |= touched
        elif not gives:
            extents.take(first, length)
            free -= touched
        assert list(extents) == pieces_of(free)
        assert extents.clusters == len(free)
        assert extents.largest[1] == max((length for _, length in pieces_of(free)), default=0)
        assert [extents.length_at(cluster) > 0 for cluster in range(CLUSTERS)] == [
            cluster in free for cluster in range(CLUSTERS)
        ]
    for count in (1, 7, 30):
        fitting = [(length, place) for place, length in pieces_of(free) if length >= count]
        assert extents.shortest(count) == (min(fitting)[1] if fitting else None)
        taken = clusters_of(extents.longest(count))
        assert (len(taken), set(taken) <= free) == ((count, True) if len(free) >= count else (0, True))


RUNS = st.lists(st.tuples(st.booleans(), st.integers(1, 9), st.integers(0, 5)), min_size=1, max_size=12)


@settings(max_examples=100, deadline=None)
@given(RUNS, st.data())
def test_a_run_list_keeps_its_holes_and_all_clusters_but_those_that_are_moved(
    shape: list[tuple[bool, int, int]], data: st.DataObject
) -> None:
    runs, lcn = RunList(), 100
    for hole, length, gap in shape:
        runs.append(HOLE if hole else Lcn(lcn), length)
        lcn += length + gap
    stored = clusters_of([(run.lcn, run.length) for run in runs.stored])
    start = data.draw(st.integers(0, len(stored)))
    count = data.draw(st.integers(0, len(stored) - start))

    moved, old = placed_elsewhere(runs, Nth(start), count, Lcn(5000))

    expected = stored[:start] + list(range(5000, 5000 + count)) + stored[start + count :]
    assert clusters_of([(run.lcn, run.length) for run in moved.stored]) == expected
    assert clusters_of([(run.lcn, run.length) for run in old]) == stored[start : start + count]
    assert moved.clusters == runs.clusters
    assert _holes(moved) == _holes(runs)
    if count:
        pieces = tuple(pieces_of_runs(runs))
        assert clusters_of(relocated(pieces, start, count, 5000)) == expected
        assert clusters_of(part_of(pieces, Nth(start), count)) == stored[start : start + count]


def _holes(runs: RunList) -> list[Run]:
    return [run for run in runs if run.lcn == HOLE]


def pieces_of_runs(runs: RunList) -> list[Piece]:
    return [(run.lcn, run.length) for run in runs.stored]


class Strict(Rehearsal):
    """A disk that may crash at any time: only what was free at the last commit, and is still, may be written to."""

    def __init__(self, free: set[int]) -> None:
        super().__init__(largest_step=5)
        self.writable, self.freed = free, set[int]()

    def move(self, key: Key, start: Nth, count: int, target: Lcn) -> list[Flip]:
        assert 0 < count <= self.largest_step
        touched = set(range(target, target + count))
        assert touched <= self.writable
        self.writable -= touched
        flips = super().move(key, start, count, target)
        self.freed |= set(clusters_of([(first, length) for first, length, used in flips if not used]))
        return flips

    def commit(self) -> None:
        self.writable |= self.freed
        self.freed = set()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("afffss"), st.integers(1, 12)), min_size=4, max_size=60), st.booleans())
def test_a_plan_loses_no_cluster_and_writes_to_nothing_that_a_crash_would_bring_back(
    shape: list[tuple[str, int]], whole: bool
) -> None:
    """`f` a file's next piece (of three files in turn), `a` something fixed, `s` free space."""
    owned: dict[int, list[Piece]] = {}
    free, at = [], 0
    for number, (kind, length) in enumerate(shape):
        if kind == "s":
            free.append((at, length))
        else:
            owned.setdefault(0 if kind == "a" else 1 + number % 3 + (number // 9 * 3), []).append((at, length))
        at += length
    layout = [Placed(Key(record, 128, ""), tuple(pieces), "" if record else "x") for record, pieces in owned.items()]
    moves = Strict(set(clusters_of(free)))
    planner = moves.planner = Defragmenter(Placement(moves, layout, pieces_of(set(clusters_of(free))), at, (0, 0)))

    planner.run(free_space=whole)

    after = {placed.key: placed.pieces for placed in planner.placement.layout()}
    owned_now = [cluster for pieces in after.values() for cluster in clusters_of(pieces)]
    assert sorted(clusters_of(planner.placement.free_pieces()) + owned_now) == list(range(at))
    for placed in layout:
        assert len(clusters_of(after[placed.key])) == placed.clusters
        if placed.fixed:  # it has the key of $MFT, of which only the first piece is
            assert after[placed.key][0][0] == placed.pieces[0][0]
            assert after[placed.key] == placed.pieces or len(after[placed.key]) <= 2
    before = sum(len(placed.pieces) - 1 for placed in layout)
    if not whole:
        assert sum(len(pieces) - 1 for pieces in after.values()) <= before


def test_of_two_areas_that_are_about_as_long_the_emptier_one_stays_empty() -> None:
    """Filling the one to empty the other, which long files did not leave, made the largest free extent shorter."""
    lengths = [40, 3] * 39  # two long files in turn, a piece of each, with a short one after each piece
    starts = [811 + sum(lengths[:index]) + (index >= 38) for index in range(len(lengths))]  # 1 fixed cluster, after 19
    pieces = list(zip(starts, lengths, strict=True))
    assert pieces[38][0] == 811 + 19 * 43 + 1
    fixed = Placed(Key(8, 128, ""), ((810, 1), (811 + 19 * 43, 1)), "x")
    long = [Placed(Key(100 + each, 128, ""), tuple(pieces[2 * each :: 4]), "") for each in range(2)]
    short = [Placed(Key(200 + each, 128, ""), (piece,), "") for each, piece in enumerate(pieces[1::2])]
    free = [(10, 800)]
    moves = Strict(set(clusters_of(free)))
    layout = [Placed(TABLE, ((0, 10),), "x"), fixed, *long, *short]
    planner = moves.planner = Defragmenter(Placement(moves, layout, free, sum(pieces[-1]), (0, 0)))

    planner.run(free_space=True)

    assert planner.placement.free.largest[1] >= 768
