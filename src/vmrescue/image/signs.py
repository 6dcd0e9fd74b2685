"""Signs: bytes of an image that show whether somebody else has written to it.

This module does not know what they mean. The code that edits an image chooses them (a file system's log, its tables,
the content of freed clusters); the journal stores their hashes, and an undo compares them.

Bytes that a commit writes are left out of the hashes; the undo compares these separately. So a sign has the same hash
before, during and after the commit, and after the undo.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from itertools import islice
from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.device import next_data, prefetch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vmrescue.device import BlockDevice

    Range = tuple[int, int]  # (offset, length)

PIECE = 1 << 18  # bytes hashed at a time
HEAD = 4096  # bytes at the start of a file that is known to change there with every write
NOTHING = hashlib.sha256().digest()  # the hash of ranges that are all zero


@dataclass(frozen=True)
class Sign:
    """Ranges of an image that only another writer would change.

    Args:
        label: what they are, in words.
        ranges: (offset, length) of each part, ascending, not touching. Empty: something could not be read, as the label
            says.
        digest: the hash of the ranges, by `digest_of`, once it is known.
    """

    label: str
    ranges: tuple[Range, ...]
    digest: bytes = b""


@dataclass(frozen=True)
class Comparison:
    """The signs that were compared before an undo, by their labels.

    Attributes:
        same: unchanged since the commit.
        different: changed since the commit.
        unknown: could not be compared, with the reason.
    """

    same: tuple[str, ...] = ()
    different: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def compare(image: BlockDevice, signs: Iterable[Sign], written: Sequence[Range], size: int) -> Comparison:
    """Compares each sign in the first `size` bytes of the image; `written`: the ranges that the commit writes."""
    same, different, unknown = [], [], []
    signs = list(signs)
    prefetch(image, [part for sign in signs for part in sign.ranges])
    for sign in signs:
        if not sign.ranges:
            unknown.append(sign.label)
        elif digest_of(image, sign.ranges, written, size) == sign.digest:
            same.append(sign.label)
        else:
            different.append(sign.label)
    return Comparison(tuple(same), tuple(different), tuple(unknown))


def digest_of(image: BlockDevice, ranges: Iterable[Range], written: Sequence[Range], size: int) -> bytes:
    """The SHA-256 of the bytes in `ranges`, without those in `written` (ascending) and those from byte `size` on.

    Zeros are left out, so that a hole and written zeros are the same, and holes cost nothing.
    """
    starts = [offset for offset, _ in written]
    digest = hashlib.sha256()
    for first, length in ranges:
        at, end = first, min(first + length, size, image.size)
        while at < end and (at := max(at, next_data(image, at))) < end:
            start = max(first, at - at % PIECE)
            stop = min(start - start % PIECE + PIECE, end)
            piece = _without(image.read_at(start, stop - start), start, starts, written)
            if piece != bytes(len(piece)):
                digest.update(start.to_bytes(8, "little"))
                digest.update(piece)
            at = stop
    return digest.digest()


def _without(data: bytes, at: int, starts: list[int], written: Sequence[Range]) -> bytes | bytearray:
    """`data`, which begins at byte `at`, with zeros in place of what the commit writes."""
    blanked: bytearray | None = None
    end = at + len(data)
    for offset, length in islice(written, max(0, bisect_right(starts, at) - 1), None):
        if offset >= end:
            break
        low, high = max(offset, at), min(offset + length, end)
        if low < high:
            blanked = bytearray(data) if blanked is None else blanked
            blanked[low - at : high - at] = bytes(high - low)
    return data if blanked is None else blanked


def joined(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """Ranges in ascending order; ranges that touch or overlap are joined."""
    found: list[Range] = []
    for offset, length in sorted(ranges):
        if length <= 0:
            continue
        if found and offset <= sum(found[-1]):
            start, before = found[-1]
            found[-1] = start, max(before, offset + length - start)
        else:
            found.append((offset, length))
    return tuple(found)


def clipped(ranges: Iterable[Range], size: int) -> tuple[Range, ...]:
    """The parts of ranges in the first `size` bytes: a partition may claim more than its disk has."""
    return joined((offset, min(length, size - offset)) for offset, length in ranges)


def sampled(ranges: Iterable[Range], whole: int, pieces: int, length: int) -> tuple[Range, ...]:
    """The ranges themselves if they have at most `whole` bytes; else `pieces` pieces of `length` bytes from them."""
    parts = joined(ranges)
    total = sum(size for _, size in parts)
    if total <= whole:
        return parts
    chosen: list[Range] = []
    done = number = 0
    for offset, size in parts:  # the pieces are evenly spaced over the bytes of the ranges
        while number < pieces and (at := number * (total - length) // (pieces - 1)) < done + size:
            start = offset + max(0, at - done)
            chosen.append((start, min(length, offset + size - start)))
            number += 1
        done += size
    return joined(chosen)
