"""Making an attribute's value longer or shorter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.ntfs.edit.placement import make_stored, set_runs, set_sizes
from vmrescue.ntfs.structures.fields import align8

if TYPE_CHECKING:
    from vmrescue.ntfs.file import File


def resize(file: File, kind: int, name: str, size: int) -> None:
    """Makes a value `size` bytes long and takes or frees the clusters for that; the caller writes what is new in it.

    A value that lies in the record stays there while there is room. One in clusters stays in clusters, as Windows
    leaves it. The caller settles the file afterwards.

    Raises:
        RefusedError: the volume is full.
    """
    first = file.get(kind, name)
    if not first.non_resident:
        if align8(size) <= align8(first.value_length) + file.holder(first).room:
            first.value = first.value[:size].ljust(size, b"\0")
            return
        make_stored(file, first)
    _resize_stored(file, kind, name, size)


def resize_zeroed(file: File, kind: int, name: str, size: int) -> None:
    """Makes a value of metadata longer, by zeros."""
    old = file.stream(kind, name).initialized
    resize(file, kind, name, size)
    file.stream(kind, name).write_at(old, bytes(size - old))


def _resize_stored(file: File, kind: int, name: str, size: int) -> None:
    clusters = file.store.clusters
    extents = file.extents(kind, name)
    runs = file.runs(extents)
    old, needed = runs.clusters, file.store.boot.clusters_for(size)
    if needed > old:
        for first, length in clusters.allocate(needed - old, runs.next_lcn):
            runs.append(first, length)
    clusters.free(runs.cut(needed))
    set_sizes(file, extents[0], runs, size)
    if needed != old:
        set_runs(file, extents, runs, old)
