"""Reads a file's size and first bytes directly from its record, without dissect.ntfs's objects, to be fast.

Only plain files are read here: one unnamed $DATA, resident or in clusters that are not compressed, encrypted or sparse,
without attribute list and reparse point. For all others the result is None, and `open` has to be used.
Source: linux-ntfs documentation, "File record", "Attribute Header", "Data runs".
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from vmrescue.readers.ntfs.layout import ATTRIBUTE, CLUSTERS, VALUE
from vmrescue.readers.ntfs.volume import ATTRIBUTE_LIST, attributes_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dissect.ntfs.mft import MftRecord

DATA, REPARSE_POINT = 0x80, 0xC0


def head_of(record: MftRecord, length: int) -> tuple[int, bytes] | None:
    """(size, first `length` bytes) of a plain file; None for others, and if anything is odd."""
    attributes = list(attributes_of(record))
    if any(kind in (ATTRIBUTE_LIST, REPARSE_POINT) for kind, _ in attributes):
        return None
    raw: bytes = record.data
    found = [at for kind, at in attributes if kind == DATA and not raw[at + 9]]
    if len(found) != 1:
        return None
    at = found[0]
    _, whole, in_clusters, _, _, flags = ATTRIBUTE.unpack_from(raw, at)
    attribute = raw[at : at + whole]
    if flags or len(attribute) < whole:
        return None
    if not in_clusters:
        size, place = VALUE.unpack_from(attribute)
        return (size, attribute[place : place + min(size, length)]) if place + size <= whole else None
    return _stored(record, attribute, length) if whole >= CLUSTERS.size else None


def _stored(record: MftRecord, attribute: bytes, length: int) -> tuple[int, bytes] | None:
    first, place, size, initialized = CLUSTERS.unpack_from(attribute)
    runs = list(runs_in(attribute[place:]))
    unit, clusters = record.ntfs.cluster_size, record.ntfs.clusters
    if first or not initialized <= size <= unit * sum(count for _, count in runs):
        return None
    ordered = sorted(runs)
    if any(start + count > following for (start, count), (following, _) in pairwise(ordered)):
        return None
    if ordered and not (ordered[0][0] >= 0 and sum(ordered[-1]) <= clusters and all(count > 0 for _, count in runs)):
        return None
    wanted, data, disk = min(size, length, initialized), b"", record.ntfs.fh
    for start, count in runs:
        if len(data) >= wanted:
            break
        disk.seek(start * unit)
        data += disk.read(min(count * unit, wanted - len(data)))
    return size, data.ljust(min(size, length), b"\0")


def runs_in(pairs: bytes) -> Iterator[tuple[int, int]]:
    """The runs: (first cluster, number of clusters). For a hole or a run that is cut short the number is 0."""
    at = cluster = 0
    while at < len(pairs) and pairs[at]:
        counted, moved = pairs[at] & 15, pairs[at] >> 4
        end = at + 1 + counted + moved
        if not counted or not moved or end > len(pairs):
            yield 0, 0
            return
        cluster += int.from_bytes(pairs[at + 1 + counted : end], "little", signed=True)
        yield cluster, int.from_bytes(pairs[at + 1 : at + 1 + counted], "little")
        at = end
