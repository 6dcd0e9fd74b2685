"""Which bytes of an NTFS volume change when somebody mounts it or writes to it: an undo compares them.

A write raises the update number of each file record and index block that changes, and Windows opens its log even if it
changes nothing. So the whole $MFT, $Bitmap and the log's first pages show that a file was made, changed or deleted.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from vmrescue.errors import NotFoundError, VmRescueError
from vmrescue.image.signs import HEAD
from vmrescue.ntfs.bitmap import CHUNK
from vmrescue.ntfs.directory import find_file
from vmrescue.ntfs.store import FileStore
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.ntfs.structures.run_list import HOLE
from vmrescue.ntfs.structures.system_files import BITMAP, LOG_FILE, MFT, VOLUME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vmrescue.device import BlockDevice
    from vmrescue.image.signs import Range
    from vmrescue.ntfs.data import Stream

LOG_START = 256 << 10  # bytes: the restart pages, the places for copies, and the first pages of records
RESTART_PAGES = 8 << 10  # bytes
JOURNAL_END = 64 << 10  # bytes of $UsnJrnl
USN_JOURNAL, USN_STREAM = "$Extend\\$UsnJrnl", "$J"

_CHANGED = re.compile("1++")

Named = tuple[str, "list[Range]"]  # a name, and ranges of the volume in bytes; no ranges if they cannot be read


def signs(device: BlockDevice, files: Iterable[str], thorough: bool = True) -> Iterator[Named]:
    """The ranges of a volume that change when it is mounted or written to.

    Args:
        files: paths of hives and their logs, whose first pages change with every write. Missing ones are skipped.
        thorough: False leaves out $MFT, $Bitmap and $UsnJrnl, where reading is slow.
    """
    store = FileStore(device)
    found: dict[str, Callable[[], list[Range]]] = {
        "$LogFile": lambda: _part(store.file(LOG_FILE).stream(Kind.DATA), 0, LOG_START if thorough else RESTART_PAGES),
        "$Volume's flags": lambda: [(store.mft.position(VOLUME), store.boot.record_size)],
    }
    if thorough:
        found["$MFT"] = lambda: _part(store.file(MFT).stream(Kind.DATA))
        found["$Bitmap"] = lambda: _part(store.file(BITMAP).stream(Kind.DATA))
        found["$UsnJrnl"] = lambda: _usn_journal(store)
    for name, ranges in found.items():
        yield from _told(name, ranges)
    for path in files:
        yield from _told(f"\\{path}", partial(_start, store, path))


def _told(name: str, ranges: Callable[[], list[Range]]) -> Iterator[Named]:
    try:
        if known := ranges():
            yield name, known
    except NotFoundError:
        return
    except VmRescueError as error:
        yield f"{name} ({error})", []


def _part(stream: Stream, first: int = 0, length: int | None = None) -> list[Range]:
    """The ranges of the volume with bytes of a stream, without holes."""
    clusters = stream.clusters
    end = clusters.size if length is None else min(first + length, clusters.size)
    pieces = clusters.runs.pieces(first, max(0, end - first), clusters.cluster_size)
    return [(position, size) for position, size in pieces if position != HOLE]


def _usn_journal(store: FileStore) -> list[Range]:
    stream = find_file(store, USN_JOURNAL).stream(Kind.DATA, USN_STREAM)
    first = max(0, stream.size - JOURNAL_END)
    return _part(stream, first, stream.size - first)


def _start(store: FileStore, path: str) -> list[Range]:
    file = find_file(store, path)
    stream = file.stream(Kind.DATA)
    if not stream.attribute.non_resident:
        return [(file.base.position, store.boot.record_size)]
    return _part(stream, 0, HEAD)


def changed_clusters(before: BlockDevice, after: BlockDevice) -> Iterator[Range]:
    """The clusters, as ranges in bytes, that are free in only one of two states of a volume."""
    old, new = (FileStore(device) for device in (before, after))
    size = new.boot.cluster_size
    if size != old.boot.cluster_size:
        return
    count = min(old.boot.cluster_count, new.boot.cluster_count)
    maps = [store.file(BITMAP).stream(Kind.DATA) for store in (old, new)]
    for start in range(0, count, 8 * CHUNK):
        end = min(start + 8 * CHUNK, count)
        was, becomes = (bitmap.read_at(start // 8, -(-end // 8) - start // 8) for bitmap in maps)
        if was != becomes:  # a comparison of bytes is many times faster than one of numbers made of them
            changed = int.from_bytes(was, "little") ^ int.from_bytes(becomes, "little")
            for match in _CHANGED.finditer(f"{changed & (1 << end - start) - 1:0{end - start}b}"[::-1]):
                yield (start + match.start()) * size, (match.end() - match.start()) * size
