"""The steps of a commit: what has to be on stable storage before the next bytes of an image are written.

The journal makes a commit atomic for whoever opens the image through it. Some containers have a log of their own, by
which other programs find the image sound after a crash. The container says in which steps its file is to be written.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    Range = tuple[int, int]  # (offset, length)


@dataclass(frozen=True)
class Step:
    """A part of a commit. Before the next step the image is synced.

    Attributes:
        ranges: (offset, length) of the parts of the file that get their new bytes in this step.
        passing: position -> bytes that the file has only until a later step, whose `ranges` include them.
        is_rest: whether everything that is in no step's `ranges` is written in this one.
    """

    ranges: tuple[Range, ...] = ()
    passing: Mapping[int, bytes] = field(default_factory=dict)
    is_rest: bool = False


ONE_STEP = (Step(is_rest=True),)


def touched(steps: Iterable[Step]) -> list[Range]:
    """(offset, length) of the bytes that are in the file only for a while."""
    return [(at, len(data)) for step in steps for at, data in step.passing.items()]


def ranges_of(steps: Iterable[Step], written: Iterable[Range]) -> list[list[Range]]:
    """For each step the parts of the `written` ranges (ascending, apart from each other) that it writes."""
    steps = list(steps)
    own = [sorted(step.ranges) for step in steps]
    late = sorted(each for ranges in own for each in ranges)
    written = list(written)
    rest = list(without(written, late))
    return [
        [*common(written, ranges), *(rest if step.is_rest else ())] for step, ranges in zip(steps, own, strict=True)
    ]


def common(some: Iterable[Range], others: Iterable[Range]) -> Iterator[Range]:
    """The parts that are in a range of both; both ascending, apart from each other."""
    left, right = iter(some), iter(others)
    one, other = next(left, None), next(right, None)
    while one and other:
        start, end = max(one[0], other[0]), min(sum(one), sum(other))
        if start < end:
            yield start, end - start
        if sum(one) <= sum(other):
            one = next(left, None)
        else:
            other = next(right, None)


def without(some: Iterable[Range], others: Iterable[Range]) -> Iterator[Range]:
    """The parts of `some` that are in none of `others`; both ascending, apart from each other."""
    right = iter(others)
    other = next(right, None)
    for offset, length in some:
        at, end = offset, offset + length
        while other and sum(other) <= at:
            other = next(right, None)
        while other and other[0] < end:
            if at < other[0]:
                yield at, other[0] - at
            at = max(at, sum(other))
            if sum(other) >= end:
                break
            other = next(right, None)
        if at < end:
            yield at, end - at
