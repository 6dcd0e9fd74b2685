"""$Bitmap: which clusters are in use, and the choice of free ones."""

from __future__ import annotations

import re
from heapq import heappop, heappush
from itertools import islice
from typing import TYPE_CHECKING

from vmrescue.errors import RefusedError, in_volume
from vmrescue.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmrescue.ntfs.data import Stream
    from vmrescue.ntfs.mft import FileTable
    from vmrescue.ntfs.structures.boot_sector import BootSector
    from vmrescue.ntfs.structures.positions import Lcn
    from vmrescue.ntfs.structures.run_list import Run

CHUNK = 1 << 16  # bytes of the bitmap that are read at once
ZONE_SIZE = 200 << 20  # bytes that Windows keeps free after $MFT, for it to grow into
ZONE_PART = 8  # but at most this fraction (1/8) of the volume
MOST_PIECES = 1 << 21  # most free pieces that are read or kept; a planner's tuples for so many take half a gigabyte

Piece = tuple[int, int]  # first cluster of the volume (LCN), number of clusters
Flip = tuple[int, int, bool]  # first cluster, number of clusters, whether they are in use now

_FREE = re.compile("0+")


class ClusterBitmap:
    """One bit for each cluster, read in parts. Changes are visible at once, and written when the edit is complete.

    Args:
        stream: the content of $Bitmap.
        boot: the volume's geometry.
        mft: the file table; clusters after it are kept free for it.
    """

    def __init__(self, stream: Stream, boot: BootSector, mft: FileTable) -> None:
        self._stream = stream
        self._mft = mft
        self._count = boot.cluster_count
        self._cluster_size = boot.cluster_size
        self._next = 0  # where the last allocation ended; the next search begins there
        self.reserved: Piece = (0, 0)  # free clusters that `allocate` leaves alone
        self.changes: list[Flip] | None = None  # clusters taken and freed, if a caller wants them recorded
        if self._stream.initialized * 8 < self._count:
            at = self._stream.attribute.position + 0x38
            raise in_volume("$Bitmap", at, f"{self._count} bits", f"{self._stream.initialized} bytes")

    def free_count(self) -> int:
        """The number of free clusters. Reads the whole bitmap."""
        return self._count - sum(bits.bit_count() for _, bits, _ in self.parts(0, self._count))

    def parts(self, first: int, end: int, chunk: int = CHUNK) -> Iterator[tuple[int, int, int]]:
        """Each part of a range: (first cluster, bits, number of clusters). The lowest bit is the first cluster's."""
        return bit_parts(self._stream, first, end, chunk)

    def allocate(self, count: int, near: Lcn | None = None) -> list[Piece]:
        """Takes `count` free clusters in as few pieces as possible.

        Free clusters from `near` on come first, then one piece that is long enough, else the longest pieces. Clusters
        that Windows keeps free for $MFT are used last.

        Raises:
            RefusedError: fewer clusters are free.
        """
        pieces: list[Piece] = []
        if near is not None and (here := self._free_at(near, self._before_reserved(near, count))):
            pieces = self._take([(near, here)])
        missing = count - sum(length for _, length in pieces)
        if missing:
            pieces += self._take(self._search(missing, self._next if near is None else near))
        return pieces

    def _take(self, pieces: list[Piece]) -> list[Piece]:
        for first, length in pieces:
            self._flip(first, length, used=True)
        self._next = pieces[-1][0] + pieces[-1][1]
        return pieces

    def take(self, pieces: Iterable[Piece]) -> None:
        """Takes exactly these clusters. Raises FormatError if one is in use."""
        for first, length in pieces:
            self._flip(first, length, used=True)

    def free(self, runs: Iterable[Run]) -> None:
        """Frees clusters. Raises FormatError if one is free already."""
        for run in runs:
            self._flip(run.lcn, run.length, used=False)
            self._next = min(self._next, run.lcn)

    def _free_at(self, first: int, count: int) -> int:
        """How many clusters from `first` on are free, at most `count`."""
        end = min(first + count, self._count)
        for start, bits, length in self.parts(first, end):
            if bits:
                lowest = (bits & -bits).bit_length() - 1
                return start + lowest - first
            if start + length == end:
                return end - first
        return 0

    def _search(self, count: int, start: int) -> list[Piece]:
        zone_start, zone_end = self._zone()
        ranges = [(start, self._count), (0, start)]
        outside = [
            part
            for first, end in ranges
            for part in ((first, min(end, zone_start)), (max(first, zone_end), end))
            if part[0] < part[1]
        ]
        for places in (outside, ranges):
            if found := fewest(islice(self._unreserved(self._free_pieces(places)), MOST_PIECES), count):
                return found
        raise RefusedError(f"the volume has no room for {counted(count, 'cluster')} of {self._cluster_size} bytes")

    def _before_reserved(self, first: int, count: int) -> int:
        """How many of `count` clusters from `first` on lie before the reserved ones."""
        start, length = self.reserved
        return count if not length or first >= start + length else max(0, min(count, start - first))

    def _unreserved(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        """The pieces without the reserved clusters."""
        low, high = self.reserved[0], sum(self.reserved)
        for first, length in pieces:
            end = first + length
            for part, part_end in ((first, min(end, low)), (max(first, high), end)) if low < high else ((first, end),):
                if part < part_end:
                    yield part, part_end - part

    def _zone(self) -> Piece:
        start = self._mft.runs.next_lcn or 0
        return start, start + self.zone_size

    @property
    def zone_size(self) -> int:
        """The number of clusters after $MFT that are kept free for it while there are others."""
        return min(self._count // ZONE_PART, ZONE_SIZE // self._cluster_size)

    def free_pieces(self) -> Iterator[Piece]:
        """All free clusters in the order of the volume, adjacent ones as one piece.

        Raises:
            RefusedError: they are in more than `MOST_PIECES` pieces.
        """
        for number, piece in enumerate(self._free_pieces([(0, self._count)])):
            if number == MOST_PIECES:
                raise RefusedError(f"the volume's free clusters lie in more than {MOST_PIECES} pieces")
            yield piece

    def _free_pieces(self, ranges: list[Piece]) -> Iterator[Piece]:
        """The free clusters in ranges, adjacent ones as one piece."""
        for first, end in ranges:
            last: Piece = (first, 0)
            for piece in self._free_parts(first, end):
                if piece[0] == last[0] + last[1]:
                    last = (last[0], last[1] + piece[1])
                    continue
                if last[1]:
                    yield last
                last = piece
            if last[1]:
                yield last

    def _free_parts(self, first: int, end: int) -> Iterator[Piece]:
        for start, bits, length in self.parts(first, end):
            if not bits:
                yield start, length
            elif bits.bit_count() < length:
                text = f"{bits:0{length}b}"[::-1]
                yield from ((start + match.start(), match.end() - match.start()) for match in _FREE.finditer(text))

    def _flip(self, first: int, count: int, used: bool) -> None:
        for start, bits, length in self.parts(first, first + count):
            every = (1 << length) - 1
            if bits != (0 if used else every):
                state = "free" if used else "in use"
                at = self._stream.clusters.position(start // 8)
                raise in_volume("$Bitmap", at, f"clusters {start} to {start + length - 1} {state}", "others")
            byte, shift = divmod(start, 8)
            size = -(-(shift + length) // 8)
            value = int.from_bytes(self._stream.read_at(byte, size), "little") ^ every << shift
            self._stream.write_at(byte, value.to_bytes(size, "little"))
        if self.changes is not None:
            self.changes.append((first, count, used))


def bit_parts(bitmap: Stream, first: int, end: int, chunk: int = CHUNK) -> Iterator[tuple[int, int, int]]:
    """Each part, of at most `chunk` bytes, of a range of a bitmap: (first bit, bits, number of bits)."""
    while first < end:
        byte = first // 8
        stop = min((byte + chunk) * 8, end)
        bits = int.from_bytes(bitmap.read_at(byte, -(-stop // 8) - byte), "little")
        if first % 8 or stop % 8:  # else nothing is to be copied
            bits = bits >> first % 8 & (1 << stop - first) - 1
        yield first, bits, stop - first
        first = stop


def fewest(pieces: Iterable[Piece], count: int) -> list[Piece]:
    """`count` clusters of free pieces: the first piece that is long enough, else the longest. Empty if there are fewer.

    Keeps only as many pieces in memory as are needed.
    """
    heap: list[Piece] = []  # (length, first)
    total = 0
    for first, length in pieces:
        if length >= count:
            return [(first, count)]
        heappush(heap, (length, first))
        total += length
        while total - heap[0][0] >= count:
            total -= heappop(heap)[0]
    if total < count:
        return []
    shortest, first = heappop(heap)
    heappush(heap, (shortest - (total - count), first))
    return sorted((first, length) for length, first in heap)
