"""Free space counted from a bitmap, compared with a count bit by bit."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from vmrescue.readers.free_space import LONG, FreeSpace, free_space, longest_run

LENGTHS = st.integers(1, 40) | st.integers(LONG * 8 - 20, LONG * 8 + 20) | st.integers(1, 20_000)
STRIPES = st.lists(st.tuples(st.integers(0, 1), LENGTHS), max_size=12)


def counted(bits: str) -> FreeSpace:
    """`bits` has a 1 for each cluster in use."""
    runs = [len(run) for run in bits.replace("1", " ").split()]
    return FreeSpace(sum(runs), len(runs), max(runs, default=0))


@settings(max_examples=300, deadline=None)
@example([(0, LONG * 8), (1, 1), (0, LONG * 8 + 1)], 1 << 20)  # the longer run has no more whole bytes than the first
@given(STRIPES, st.integers(1, 9) | st.sampled_from([700, 1 << 20]))
def test_clusters_extents_and_the_longest_are_as_counted_bit_by_bit(stripes: list[tuple[int, int]], size: int) -> None:
    bits = "".join(str(bit) * length for bit, length in stripes)
    bitmap = int(bits[::-1] or "0", 2).to_bytes(-(-len(bits) // 8) + 1, "little")
    chunks = [bitmap[at : at + size] for at in range(0, len(bitmap), size)]
    assert free_space(chunks, len(bits)) == counted(bits)


@given(STRIPES, st.integers(0, 40) | LENGTHS)
def test_the_longest_run_is_the_longest(stripes: list[tuple[int, int]], least: int) -> None:
    bits = "".join(str(bit) * length for bit, length in stripes)
    longest = max(map(len, bits.split("0")))
    assert longest_run(int(bits or "0", 2)) == longest
    assert longest_run(int(bits or "0", 2), least) == max(least, longest)
