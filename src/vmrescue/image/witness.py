"""A hash of bytes that a commit does not change: it shows whether a journal belongs to an image, even half-written.

It covers the rest of each 4096-byte page in which a written range begins or ends, and the first and last page of the
image. Another disk differs in its first or last page (disk signature, disk GUID, VHD footer). Another state of the same
disk most likely differs near the written ranges, because these are in files that Windows writes. Changes elsewhere are
found by `signs`; one of these signs is `SAMPLES` pages spread over the image.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from itertools import islice
from typing import TYPE_CHECKING

from vmrescue.device import prefetch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vmrescue.device import BlockDevice

PAGE = 4096
SAMPLES = 64
FEW = 8  # samples of an image that is reached over a network, where each takes a request; its version tells more


def witness(image: BlockDevice, ranges: Sequence[tuple[int, int]], size: int, samples: bool = False) -> bytes:
    """The SHA-256 of the bytes around `ranges` ((offset, length), ascending) in the first `size` bytes of the image.

    With `samples`, as in the first format of journals, the pages of `spread` are included.
    """
    starts = [offset for offset, _ in ranges]
    digest = hashlib.sha256()
    pages = sorted(_pages(ranges, size, samples))
    prefetch(image, [(page * PAGE, PAGE) for page in pages])
    for page in pages:
        start, end = page * PAGE, min((page + 1) * PAGE, size)
        content = bytearray(image.read_at(start, end - start))
        for offset, length in islice(ranges, max(0, bisect_right(starts, start) - 1), None):
            if offset >= end:
                break
            low, high = max(offset, start), min(offset + length, end)
            if low < high:
                content[low - start : high - start] = bytes(high - low)
        digest.update(content)
    return digest.digest()


def spread(size: int, samples: int = SAMPLES) -> tuple[tuple[int, int], ...]:
    """(offset, length) of pages spread over the first `size` bytes of an image."""
    starts = sorted(page * PAGE for page in _samples((size - 1) // PAGE, samples))
    return tuple((start, min(PAGE, size - start)) for start in starts)


def _samples(last: int, samples: int = SAMPLES) -> set[int]:
    return {page for sample in range(samples + 1) if 0 <= (page := last * sample // samples) <= last}


def _pages(ranges: Sequence[tuple[int, int]], size: int, samples: bool) -> set[int]:
    last = (size - 1) // PAGE
    edges = {at // PAGE for offset, length in ranges for at in (offset, offset + length - 1)}
    inner = _samples(last) if samples else {0, last}
    return {page for page in edges | inner if 0 <= page <= last}
