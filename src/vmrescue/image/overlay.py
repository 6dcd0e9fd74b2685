"""Copy on write: changes are kept apart from a device, which stays as it is until they are committed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vmrescue.device import check_range, next_data, prefetch, refusal_of, why_not_longer
from vmrescue.errors import WriteError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmrescue.device import BlockDevice, Range

PAGE = 4096  # bytes; the unit in which changed bytes are kept
IN_MEMORY = 64 << 20  # bytes of changed pages; beyond that they are kept in an unnamed temporary file
RUN = 256  # pages compared at a time; bounds memory
GAP = 32  # equal bytes that end a changed range; rewriting fewer is cheaper than describing another range

_CHANGED = re.compile(rb"[^\0]++(?:\0{1,%d}+[^\0]++)*+" % (GAP - 1))


class Overlay:
    """A writable view of `base`, which is only read. The view can be made longer or shorter than the base.

    Changed pages are kept in one spool, in the order in which they were first written.
    """

    def __init__(self, base: BlockDevice) -> None:
        self.base = base
        self.size = base.size
        self.sector_size = base.sector_size
        self._slots: dict[int, int] = {}  # page number -> its place in the spool, in pages
        from tempfile import SpooledTemporaryFile  # imported here, because a disk that is only read does not need it

        self._spool = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 (closed in close)

    @property
    def refusal(self) -> str | None:
        """Why changes could never be committed to the base; None if they could."""
        return refusal_of(self.base)

    @property
    def why_not_longer(self) -> str | None:
        """Why the base cannot be made longer; None if it can."""
        return why_not_longer(self.base)

    def read_at(self, offset: int, length: int) -> bytes:
        check_range("overlay", offset, length, self.size)
        data = self._base_bytes(offset, length)
        changed = [page for page in _pages(offset, length) if page in self._slots]
        if not changed:
            return data
        mixed = bytearray(data)
        for page in changed:
            start = max(page * PAGE, offset)
            end = min((page + 1) * PAGE, offset + length)
            mixed[start - offset : end - offset] = self._load(page)[start - page * PAGE : end - page * PAGE]
        return bytes(mixed)

    def next_data(self, offset: int) -> int:
        base = next_data(self.base, offset) if offset < self.base.size else self.size
        if base == offset:
            return offset
        changed = (max(offset, page * PAGE) for page in self._slots if (page + 1) * PAGE > offset)
        return min(base, self.size, *changed)

    def prefetch(self, ranges: Iterable[Range]) -> bool:
        return prefetch(self.base, ranges)

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        check_range("overlay", offset, len(data), self.size)
        view = memoryview(data)
        for page in _pages(offset, len(view)):
            start = max(page * PAGE, offset)
            end = min((page + 1) * PAGE, offset + len(view))
            piece = view[start - offset : end - offset]
            if len(piece) < PAGE:
                content = bytearray(self._page(page))
                content[start - page * PAGE : end - page * PAGE] = piece
                piece = memoryview(content)
            self._store(page, piece)

    def write_through(self, offset: int, data: bytes | memoryview) -> None:
        """Writes to the base at once. Kept pages are updated too, so that a later commit does not restore old bytes."""
        self.base.write_at(offset, data)
        view = memoryview(data)
        for page in _pages(offset, len(view)):
            if page in self._slots:
                start, end = max(page * PAGE, offset), min((page + 1) * PAGE, offset + len(view))
                self.write_at(start, view[start - offset : end - offset])

    def forget(self) -> None:
        """Drops all changes, because the base has them by now or they are not wanted."""
        self._slots.clear()
        self._spool.seek(0)
        self._spool.truncate()
        self.size = self.base.size

    def resize(self, size: int) -> None:
        """Makes the view `size` bytes long. New bytes are zeros, whatever the base has there."""
        if size < self.size:
            self._cut(size)
        covered = min(size, self.base.size)
        while self.size < covered:  # the base has bytes here, which zeros must hide
            step = min(RUN * PAGE, covered - self.size)
            start, self.size = self.size, self.size + step
            self.write_at(start, bytes(step))
        self.size = size

    def changed_ranges(self) -> list[tuple[int, int]]:
        """(offset, length) of all bytes that differ from the base, ascending. Beyond its end, the base counts as zeros.

        Ranges less than `GAP` bytes apart are reported as one.
        """
        ranges: list[tuple[int, int]] = []  # (start, end)
        for first, count in _runs(sorted(page for page in self._slots if page * PAGE < self.size)):
            origin = first * PAGE
            length = min(count * PAGE, self.size - origin)
            for start, end in differences(self._base_bytes(origin, length), self.read_at(origin, length)):
                if ranges and origin + start - ranges[-1][1] < GAP:
                    ranges[-1] = (ranges[-1][0], origin + end)
                else:
                    ranges.append((origin + start, origin + end))
        return [(start, end - start) for start, end in ranges]

    def flush(self) -> None:
        """Nothing to do: changes are not meant to last."""

    def close(self) -> None:
        """Drops all changes. The base stays open; whoever opened it must close it."""
        self._slots.clear()
        self._spool.close()

    def _base_bytes(self, offset: int, length: int) -> bytes:
        inside = max(0, min(length, self.base.size - offset))
        data = self.base.read_at(offset, inside) if inside else b""
        return data + bytes(length - inside) if inside < length else data

    def _page(self, page: int) -> bytes:
        return self._load(page) if page in self._slots else self._base_bytes(page * PAGE, PAGE)

    def _load(self, page: int) -> bytes:
        self._spool.seek(self._slots[page] * PAGE)
        return self._spool.read(PAGE)

    def _store(self, page: int, content: memoryview) -> None:
        try:
            self._spool.seek(self._slots.setdefault(page, len(self._slots)) * PAGE)
            self._spool.write(content)
        except OSError as error:
            raise WriteError(f"no room in a temporary file for what is to change: {error.strerror}") from error

    def _cut(self, size: int) -> None:
        """Zeros the changed pages beyond `size`, so that old bytes do not come back when the view grows."""
        for page in [page for page in self._slots if (page + 1) * PAGE > size]:
            keep = max(0, size - page * PAGE)
            self._store(page, memoryview(self._load(page)[:keep].ljust(PAGE, b"\0")))
        self.size = size


def differences(old: bytes, new: bytes) -> Iterator[tuple[int, int]]:
    """(start, end) of the ranges in which two byte strings of the same length differ, at least `GAP` bytes apart."""
    if old == new:
        return
    changed = int.from_bytes(old, "little") ^ int.from_bytes(new, "little")
    for match in _CHANGED.finditer(changed.to_bytes(len(old), "little")):
        yield match.span()


def _pages(offset: int, length: int) -> range:
    return range(offset // PAGE, -(-(offset + length) // PAGE))


def _runs(pages: Iterable[int]) -> Iterator[tuple[int, int]]:
    """(first, count) of runs of neighbouring pages, at most `RUN` each."""
    first = count = 0
    for page in pages:
        if count and (page != first + count or count == RUN):
            yield first, count
            count = 0
        if not count:
            first = page
        count += 1
    if count:
        yield first, count
