"""A sign tells of every byte in its ranges, but for what the commit itself writes, and of no byte elsewhere."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from support.memory_device import MemoryDevice
from vmrescue.image.signs import PIECE, clipped, digest_of, joined, sampled

if TYPE_CHECKING:
    from collections.abc import Iterable

SIZE = 3 * PIECE + 5
EDGES = [0, 1, 512, 513, *(at + by for at in (PIECE, 2 * PIECE, 3 * PIECE) for by in (-1, 0, 1, 2)), SIZE - 1, SIZE]
FULL = b"\xa5" * SIZE

Range = tuple[int, int]


def ranges(edges: list[int]) -> list[Range]:
    """Every second of the stretches between some bytes, so that no two of them touch."""
    return [(first, end - first) for first, end in list(pairwise(sorted(edges)))[::2]]


some = st.lists(st.sampled_from(EDGES), unique=True).map(ranges)


def holds(parts: list[Range], at: int) -> bool:
    return any(first <= at < first + length for first, length in parts)


@given(some, some, st.sampled_from(EDGES), st.sampled_from(EDGES[:-1]))
def test_one_byte_that_somebody_wrote_is_told_if_it_is_in_the_ranges_and_not_the_commits(
    parts: list[Range], written: list[Range], size: int, at: int
) -> None:
    image = MemoryDevice(bytearray(FULL))
    before = digest_of(image, parts, written, size)
    image.write_at(at, b"\x5a")
    told = digest_of(image, parts, written, size) != before
    assert told == (holds(parts, at) and not holds(written, at) and at < size)


def test_the_same_bytes_in_another_place_are_not_the_same() -> None:
    piece, hole = b"\xa5" * PIECE, bytes(PIECE)
    first, second = (
        digest_of(MemoryDevice(bytearray(content)), [(0, 2 * PIECE)], [], 2 * PIECE)
        for content in (piece + hole, hole + piece)
    )
    assert first != second


def bytes_of(parts: Iterable[Range]) -> set[int]:
    return {at for first, length in parts for at in range(first, first + length)}


small = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)))


@given(small, st.integers(0, 40))
def test_joined_ranges_are_the_same_bytes_in_order_and_do_not_touch(parts: list[Range], size: int) -> None:
    for found, wanted in (
        (joined(parts), bytes_of(parts)),
        (clipped(parts, size), {at for at in bytes_of(parts) if at < size}),
    ):
        assert bytes_of(found) == wanted
        assert all(sum(one) < other[0] for one, other in pairwise(found))
        assert all(length > 0 for _, length in found)


@given(small, st.integers(0, 100), st.integers(2, 5), st.integers(1, 4))
def test_pieces_of_many_bytes_are_some_of_them(parts: list[Range], whole: int, pieces: int, length: int) -> None:
    ours = bytes_of(parts)
    found = bytes_of(sampled(parts, whole, pieces, length))
    if len(ours) <= whole:
        assert found == ours
    elif len(ours) >= pieces * length:
        assert found <= ours
        assert 0 < len(found) <= pieces * length
