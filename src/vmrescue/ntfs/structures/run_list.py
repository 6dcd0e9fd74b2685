"""Run lists: where the clusters of a file are.

A run maps clusters of the file (VCN, counted from its start) to clusters of the volume (LCN). On disk it is a mapping
pair: a byte with the sizes of the two numbers, the run's length in clusters, and the signed difference of its LCN to
the last run's. A run without an LCN is a hole. Source: linux-ntfs documentation, "Data Runs".
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from vmrescue.errors import in_volume
from vmrescue.ntfs.structures.positions import Lcn, Vcn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HOLE = Lcn(-1)


class Run(NamedTuple):
    """`length` clusters from `vcn` on; `lcn` is HOLE if they are not stored."""

    vcn: Vcn
    lcn: Lcn
    length: int

    @property
    def next_vcn(self) -> Vcn:
        return Vcn(self.vcn + self.length)

    @property
    def next_lcn(self) -> Lcn:
        return Lcn(self.lcn + self.length)


class RunList:
    """The runs of one attribute, ascending and without gaps."""

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        self._runs: list[Run] = []
        for run in runs:
            self.append(run.lcn, run.length)
        self._starts: list[int] = []

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    def __len__(self) -> int:
        return len(self._runs)

    @property
    def clusters(self) -> int:
        """The number of clusters of the file, holes included."""
        return self._runs[-1].next_vcn if self._runs else 0

    @property
    def stored(self) -> list[Run]:
        """The runs that are no holes."""
        return [run for run in self._runs if run.lcn != HOLE]

    def check_stored(self, position: int) -> None:
        """Raises FormatError, naming `position`, if two runs share a cluster."""
        must_be_apart(((run.lcn, run.length) for run in self.stored), position)

    @property
    def next_lcn(self) -> Lcn | None:
        """The cluster after the last stored one, the best place for more; None if none is stored."""
        stored = self.stored
        return stored[-1].next_lcn if stored else None

    def append(self, lcn: Lcn, count: int) -> None:
        """Adds clusters at the end; to the last run if they continue it."""
        vcn = Vcn(self.clusters)
        if self._runs and self._continues(self._runs[-1], lcn):
            last = self._runs.pop()
            vcn, lcn, count = last.vcn, last.lcn, last.length + count
        self._runs.append(Run(vcn, lcn, count))
        self._starts = []

    def cut(self, clusters: int) -> list[Run]:
        """Keeps the first `clusters` clusters; returns the runs that were cut off."""
        kept: list[Run] = []
        rest: list[Run] = []
        for run in self._runs:
            here = min(max(clusters - run.vcn, 0), run.length)
            if here:
                kept.append(run._replace(length=here))
            if here < run.length:
                lcn = run.lcn if run.lcn == HOLE else Lcn(run.lcn + here)
                rest.append(Run(Vcn(run.vcn + here), lcn, run.length - here))
        self._runs = kept
        self._starts = []
        return rest

    def since(self, vcn: Vcn) -> list[Run]:
        """The runs from a cluster of the file on."""
        whole = RunList(self._runs)
        return whole.cut(vcn)

    def pieces(self, offset: int, length: int, cluster_size: int) -> Iterator[tuple[int, int]]:
        """Each part of a range of the file: (position on the volume or HOLE, length), in bytes."""
        if not self._starts:
            self._starts = [run.vcn for run in self._runs]
        end = offset + length
        index = bisect_right(self._starts, offset // cluster_size) - 1
        while offset < end:
            run = self._runs[index]
            within = offset - run.vcn * cluster_size
            part = min(end - offset, run.length * cluster_size - within)
            yield (HOLE if run.lcn == HOLE else run.lcn * cluster_size + within), part
            offset += part
            index += 1

    @staticmethod
    def _continues(last: Run, lcn: Lcn) -> bool:
        return lcn == HOLE if last.lcn == HOLE else lcn == last.next_lcn


def must_be_apart(runs: Iterable[tuple[Lcn, int]], position: int) -> None:
    """Raises FormatError if two runs share a cluster: with shared clusters a file could seem to have endless data.

    Args:
        runs: (first cluster of the volume, number of clusters), without holes.
        position: the attribute's, in bytes from the volume's start.
    """
    for (lcn, length), (following, _) in pairwise(sorted(runs)):
        if lcn + length > following:
            raise in_volume("run list", position, "each cluster once", f"cluster {following} twice")


def decode_pairs(pairs: bytes, first_vcn: Vcn, limit: int, position: int) -> list[Run]:
    """Decodes mapping pairs. `limit`: the number of clusters of the volume; `position`: of the pairs, for errors."""
    runs = []
    vcn: int = first_vcn
    lcn = at = 0
    while at < len(pairs) and pairs[at]:
        count_size, lcn_size = pairs[at] & 15, pairs[at] >> 4
        start, at = at, at + 1 + count_size + lcn_size
        count = int.from_bytes(pairs[start + 1 : start + 1 + count_size], "little", signed=True)
        if at > len(pairs) or count <= 0 or count_size > 8 or lcn_size > 8:
            raise in_volume("run list", position + start, "a run's length and place", pairs[start : start + 17].hex())
        if lcn_size:
            lcn += int.from_bytes(pairs[start + 1 + count_size : at], "little", signed=True)
            if lcn < 0 or lcn + count > limit:
                raise in_volume("run list", position + start, f"clusters below {limit}", f"{count} at {lcn}")
        runs.append(Run(Vcn(vcn), Lcn(lcn) if lcn_size else HOLE, count))
        vcn += count
    return runs


def encode_pairs(runs: Iterable[Run], room: int | None = None) -> tuple[bytes, int]:
    """Encodes as many runs as fit into `room` bytes, zero byte at the end included. Returns (bytes, number of runs)."""
    pairs = bytearray()
    last_lcn, done = Lcn(0), 0
    for run in runs:
        pair = _encode(run, last_lcn)
        if room is not None and len(pairs) + len(pair) + 1 > room:
            break
        pairs += pair
        last_lcn = last_lcn if run.lcn == HOLE else run.lcn
        done += 1
    return bytes(pairs) + b"\0", done


def _encode(run: Run, last_lcn: Lcn) -> bytes:
    count = _shortest(run.length)
    place = b"" if run.lcn == HOLE else _shortest(run.lcn - last_lcn)
    return bytes([len(count) | len(place) << 4]) + count + place


def _shortest(number: int) -> bytes:
    """A signed number in as few bytes as possible."""
    size = (number if number >= 0 else ~number).bit_length() // 8 + 1
    return number.to_bytes(size, "little", signed=True)
