"""The clusters that files own, one bit for each: none may have two owners, and $Bitmap says the same."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from vmrescue.notes import Note
from vmrescue.ntfs.data import METHOD_MASK
from vmrescue.ntfs.structures.attribute import Storage
from vmrescue.paged import BITS, PagedBits
from vmrescue.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vmrescue.ntfs.bitmap import ClusterBitmap, Piece
    from vmrescue.ntfs.data import Stream
    from vmrescue.ntfs.structures.boot_sector import BootSector


class OwnedClusters:
    """Which clusters have an owner. What is wrong is added to `problems`."""

    def __init__(self, boot: BootSector, problems: list[str]) -> None:
        self._boot = boot
        self._problems = problems
        self._owned = PagedBits()
        self._claimed = 0  # number of clusters of all attributes so far

    def claim(self, title: str, stream: Stream) -> bool:
        """Records the clusters of an attribute as owned. False if another attribute owns one of them."""
        attribute, runs = stream.attribute, stream.clusters.runs
        size = self._boot.cluster_size
        if attribute.allocated_size != runs.clusters * size:
            said = f"{attribute.allocated_size} bytes of clusters, and has {runs.clusters * size}"
            self._problems.append(f"an attribute of {title} says that it has {said}")
        packed = attribute.flags & (METHOD_MASK | Storage.SPARSE)
        if packed and attribute.compressed_size != sum(run.length for run in runs.stored) * size:
            self._problems.append(f"a packed attribute of {title} gives a wrong size on disk")
        return self._take(title, [(run.lcn, run.length) for run in runs.stored])

    def take_if_free(self, pieces: Iterable[Piece]) -> bool:
        """Records clusters as owned, of any number of attributes; False, and none is, if one would have two owners."""
        joined: list[tuple[int, int]] = []  # first cluster, end
        first = end = 0
        for lcn, length in sorted(pieces):
            if lcn < end:
                return False
            if lcn > end:
                joined.append((first, end))
                first = lcn
            end = lcn + length
        joined.append((first, end))
        total = sum(end - first for first, end in joined)
        if self._claimed + total > self._boot.cluster_count or any(self._owned.any(*each) for each in joined):
            return False
        self._claimed += total
        for first, end in joined:
            for _ in self._owned.set(first, end - first):
                pass
        return True

    def _take(self, title: str, pieces: Sequence[Piece]) -> bool:
        """Records clusters as owned. False if another attribute owns one of them."""
        if self._claimed > self._boot.cluster_count:
            return False  # clusters are shared, which was reported; ends a check that could go on for ever
        self._claimed += sum(length for _, length in pieces)
        shared = _Clusters()
        for lcn, length in pieces:
            for first, bits in self._owned.set(lcn, length):
                shared.add(first, bits)
        if shared.count:
            said = f"{title} shares {counted(shared.count, 'cluster')} with another file, the first is {shared.first}"
            self._problems.append(said)
        return not shared.count

    def compare(self, bitmap: ClusterBitmap) -> None:
        """Compares all clusters with $Bitmap."""
        lost, unmarked = _Clusters(), _Clusters()
        for first, bits, _ in bitmap.parts(0, self._boot.cluster_count, BITS // 8):
            owned = self._owned.page(first)
            if bits != owned:
                lost.add(first, bits & ~owned)
                unmarked.add(first, owned & ~bits)
        if lost.count:
            much = counted(lost.count, "cluster")
            self._problems.append(Note(f"$Bitmap marks {much} as in use that no file has, the first is {lost.first}"))
        if unmarked.count:
            much = counted(unmarked.count, "cluster")
            self._problems.append(f"$Bitmap marks {much} as free that files have, the first is {unmarked.first}")


class _Clusters:
    """A number of clusters, and the first of them."""

    def __init__(self) -> None:
        self.count = 0
        self.first = 0

    def add(self, first: int, bits: int) -> None:
        if bits and not self.count:
            self.first = first + (bits & -bits).bit_length() - 1
        self.count += bits.bit_count()


def are_apart(pieces: Sequence[Piece]) -> bool:
    """Whether no two pieces share a cluster."""
    return len(pieces) < 2 or all(sum(piece) <= following for piece, (following, _) in pairwise(sorted(pieces)))
