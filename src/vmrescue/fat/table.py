"""The file allocation table: which cluster follows which, and which are free.

Source: Microsoft, fatgen103, "FAT Data Structure".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from vmrescue.errors import FormatError, RefusedError, in_volume
from vmrescue.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmrescue.fat.boot_sector import BootSector
    from vmrescue.image.pending_writes import PendingWrites

Run = tuple[int, int]  # first cluster, number of clusters
Chain = list[Run]

FREE = 0
BAD = {12: 0xFF7, 16: 0xFFF7, 32: 0x0FFFFFF7}
END = {12: 0xFFF, 16: 0xFFFF, 32: 0x0FFFFFFF}  # what we write at a chain's end; any value above BAD ends it
MASK_32 = 0x0FFFFFFF  # the upper four bits of a 32-bit entry are reserved, and kept
PAGE = 1 << 16  # bytes of the table that are read as one piece; a whole FAT12 table fits into the first
_ZEROS = bytes(PAGE)


class Table:
    """The table in use, read piece by piece, changed in memory, and stored to all copies.

    Memory: the pieces that were read to follow chains; at most the table's size on the disk.
    """

    def __init__(self, pending: PendingWrites, boot: BootSector, first_free: int = 2) -> None:
        self._pending = pending
        self._boot = boot
        self._per_page = PAGE * 8 // boot.bits
        self._pages: dict[int, bytearray] = {}
        self._changed: set[int] = set()  # sectors of the table
        self._free_count: int | None = None
        self._next = first_free if boot.is_cluster(first_free) else 2

    @property
    def changed(self) -> bool:
        """Whether an entry was set since the last `store` or `drop`."""
        return bool(self._changed)

    @property
    def next_free(self) -> int:
        """Where the next search for free clusters begins."""
        return self._next

    @property
    def free_count(self) -> int:
        """The number of free clusters. The first call reads the whole table."""
        if self._free_count is None:
            self._free_count = sum(values.count(FREE) for _, values in self.pages())
        return self._free_count

    def get(self, index: int) -> int:
        """Entry `index` (clusters begin at 2), without its reserved bits."""
        page_number, within = divmod(index, self._per_page)
        page = self._pages.get(page_number)
        if page is None:
            page = self._pages[page_number] = self._read_page(page_number)
        if self._boot.bits == 32:
            return int.from_bytes(page[within * 4 : within * 4 + 4], "little") & MASK_32
        if self._boot.bits == 16:
            return int.from_bytes(page[within * 2 : within * 2 + 2], "little")
        pair = int.from_bytes(page[within * 3 // 2 : within * 3 // 2 + 2], "little")
        return pair >> 4 if within & 1 else pair & 0xFFF

    def set(self, cluster: int, value: int) -> None:
        """Changes the entry of a cluster in memory; `store` writes it."""
        before = self.get(cluster)
        if self._free_count is not None:
            self._free_count += (value == FREE) - (before == FREE)
        page_number, within = divmod(cluster, self._per_page)
        page = self._pages[page_number]
        start = within * self._boot.bits // 8
        width = 4 if self._boot.bits == 32 else 2
        old = int.from_bytes(page[start : start + width], "little")
        if self._boot.bits == 32:
            value |= old & ~MASK_32
        elif self._boot.bits == 12:
            value = old & 0x000F | value << 4 if within & 1 else old & 0xF000 | value
        page[start : start + width] = value.to_bytes(width, "little")
        for byte in (start, start + width - 1):  # a 12-bit entry may lie in two sectors
            self._changed.add((page_number * PAGE + byte) // self._boot.sector_size)

    def is_end(self, value: int) -> bool:
        return value > BAD[self._boot.bits]

    def is_bad(self, value: int) -> bool:
        return value == BAD[self._boot.bits]

    def runs(self, first: int) -> Iterator[Run]:
        """The chain from cluster `first`, adjacent clusters as one run. Raises FormatError if it is broken or loops.

        Loops are found by Brent's method: a loop may be walked up to three times before it is found.
        """
        start, count = first, 0
        cluster, mark, steps, power = first, 0, 0, 1
        while True:
            if cluster == mark:
                raise self._broken(first, f"a loop through cluster {cluster}")
            if not self._boot.is_cluster(cluster):
                raise self._broken(first, f"a link to {cluster}")
            if cluster != start + count:
                yield start, count
                start, count = cluster, 0
            count += 1
            steps += 1
            if steps == power:
                mark, steps, power = cluster, 0, power * 2
            value = self.get(cluster)
            if self.is_end(value):
                yield start, count
                return
            cluster = value

    def _broken(self, first: int, found: str) -> FormatError:
        expected = f"the chain from cluster {first} to lead on to its end"
        return in_volume("allocation table", self._boot.table_offsets[0], expected, found)

    def allocate(self, count: int, near: int = 0) -> Chain:
        """Takes `count` free clusters and links them into a chain. Raises RefusedError if there are too few.

        The first stretch after `near` that holds all of them is taken, else the longest stretches.
        """
        if count > self.free_count:
            raise RefusedError(f"the volume has {counted(self.free_count, 'free cluster')}; needed: {count}")
        runs: Chain = []
        for run in self._free_runs(near if self._boot.is_cluster(near) else self._next, count):
            if run[1] == count:
                runs = [run]
                break
            runs.append(run)
        else:
            runs = _longest(runs, count)
        self._link(runs)
        after = runs[-1][0] + runs[-1][1]
        self._next = after if self._boot.is_cluster(after) else 2
        return runs

    def append(self, last: int, runs: Chain) -> None:
        """Appends `runs`, which are a chain already, to the chain that ends with cluster `last`."""
        self.set(last, runs[0][0])

    def cut(self, last: int, rest: Chain) -> None:
        """Ends a chain at cluster `last` (0: frees the whole chain) and frees `rest`, the clusters after it."""
        if last:
            self.set(last, END[self._boot.bits])
        for start, count in rest:
            for cluster in range(start, start + count):
                self.set(cluster, FREE)

    def _link(self, runs: Chain) -> None:
        clusters = [cluster for start, count in runs for cluster in range(start, start + count)]
        for cluster, following in zip(clusters, [*clusters[1:], END[self._boot.bits]], strict=True):
            self.set(cluster, following)

    def _free_runs(self, origin: int, longest: int) -> Iterator[Run]:
        """Stretches of at most `longest` free clusters, from `origin` to the end, then from the start to `origin`."""
        end = self._boot.cluster_count + 2
        yield from self._free_between(origin, end, longest)
        yield from self._free_between(2, origin, longest)

    def _free_between(self, begin: int, end: int, longest: int) -> Iterator[Run]:
        start, count = begin, 0
        for first, values in self.pages(begin // self._per_page):
            if first >= end:
                break
            stop = min(len(values), end - first)
            position = _find_free(values, max(begin - first, 0), stop)
            while position < stop:
                if first + position != start + count or count == longest:
                    if count:
                        yield start, count
                    start, count = first + position, 0
                count += 1
                position = _find_free(values, position + 1, stop)
        if count:
            yield start, count

    def pages(self, number: int = 0) -> Iterator[tuple[int, list[int] | bytes]]:
        """The table's entries from piece `number` on, piece by piece: (index of the first entry, entries).

        Entries 0 and 1, which stand for no clusters, are given as bad ones.
        """
        end = self._boot.cluster_count + 2
        for page_number in range(number, -(-end // self._per_page)):
            first = page_number * self._per_page
            page = self._pages.get(page_number) or self._read_page(page_number)
            count = min(self._per_page, end - first)
            if first == 0:
                yield first, [BAD[self._boot.bits]] * 2 + self._decode(page, count)[2:]
            elif page == _ZEROS[: len(page)]:  # the usual case in a large volume: all clusters of the piece are free
                yield first, _ZEROS[:count]
            else:
                yield first, self._decode(page, count)

    def _decode(self, page: bytearray, count: int) -> list[int]:
        if self._boot.bits == 32:
            return [value & MASK_32 for value in struct.unpack_from(f"<{count}I", page)]
        if self._boot.bits == 16:
            return list(struct.unpack_from(f"<{count}H", page))
        return [self.get(index) for index in range(count)]

    def _read_page(self, number: int) -> bytearray:
        start = number * PAGE
        length = min(PAGE, self._boot.table_size - start)
        return bytearray(self._pending.read_at(self._boot.table_offsets[0] + start, length))

    def store(self) -> None:
        """Gives the changed sectors of the table to the pending writes, for every copy in use."""
        size = self._boot.sector_size
        for sector in self._changed:
            page_number, within = divmod(sector * size, PAGE)
            data = self._pages[page_number][within : within + size]
            for copy in self._boot.table_offsets:
                self._pending.write_at(copy + sector * size, data)
        self._changed.clear()

    def drop(self) -> None:
        """Drops all changes since the last `store`."""
        self._pages.clear()
        self._changed.clear()
        self._free_count = None


def _find_free(values: list[int] | bytes, start: int, stop: int) -> int:
    """The index of the first free entry in [start, stop), or `stop`."""
    try:
        return values.index(FREE, start, stop)
    except ValueError:
        return stop


def _longest(runs: Chain, count: int) -> Chain:
    """The longest of the free `runs`, as few as hold `count` clusters, in the order of the disk."""
    return sorted(first_clusters(sorted(runs, key=lambda run: -run[1]), count))


def first_clusters(runs: Iterable[Run], count: int) -> Chain:
    """The first `count` clusters of a chain, or all of them if it is shorter."""
    kept: Chain = []
    for start, length in runs:
        if not count:
            break
        kept.append((start, min(length, count)))
        count -= kept[-1][1]
    return kept


def after_clusters(runs: Iterable[Run], count: int) -> Chain:
    """A chain without its first `count` clusters."""
    rest: Chain = []
    for start, length in runs:
        skipped = min(length, count)
        count -= skipped
        if skipped < length:
            rest.append((start + skipped, length - skipped))
    return rest
