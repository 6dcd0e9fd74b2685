"""How fragmented a volume's files and free space are. Reads $MFT and $Bitmap once each."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from heapq import heappush, heappushpop
from typing import TYPE_CHECKING, Any

from vmrescue.dataclass import dataclass
from vmrescue.errors import FormatError, NotFoundError
from vmrescue.ntfs.defrag.layout import Key, Placed, joined, read_layout
from vmrescue.ntfs.directory import find_file
from vmrescue.ntfs.index import FILE_NAMES
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.ntfs.structures.file_name import Space, file_names
from vmrescue.ntfs.structures.system_files import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmrescue.ntfs.bitmap import Piece
    from vmrescue.ntfs.store import FileStore

DEEPEST = 256  # most folders in a path; in a damaged volume a folder may be its own parent
CLASSES = (64 << 10, 1 << 20, 16 << 20, 256 << 20, 4 << 30)  # bytes; free extents are counted between these limits
SHOWN_KINDS = {Kind.DATA: "", Kind.INDEX_ALLOCATION: "index", Kind.BITMAP: "bitmap", Kind.ATTRIBUTE_LIST: "list"}


@dataclass(frozen=True)
class Fragmented:
    """An attribute in clusters: its file's path with the stream's name, pieces, bytes; why it cannot move, or ""."""

    path: str
    pieces: int
    bytes: int
    fixed: str = ""


@dataclass(frozen=True)
class FreeClass:
    """Free extents of one class of lengths: under `below` bytes (None: all longer ones)."""

    below: int | None
    extents: int
    bytes: int


@dataclass(frozen=True)
class Fragmentation:
    """A volume's state; sizes in bytes.

    Attributes:
        attributes: number of attributes (content, streams, directories' indexes) that are in clusters.
        fragmented: number of these that are in more than one piece.
        fragments: number of pieces beyond one for each attribute.
        worst: the attributes in the most pieces, worst first.
        free_extents: number of free extents; `largest_free` is the longest, `free_classes` counts them by length.
    """

    size: int
    cluster_size: int
    attributes: int
    fragmented: int
    fragments: int
    worst: list[Fragmented]
    free: int
    free_extents: int
    largest_free: int
    free_classes: list[FreeClass]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def read_fragmentation(store: FileStore, most: int = 20) -> Fragmentation:
    """Reads $MFT and $Bitmap. `worst` has at most `most` attributes."""
    return measure(store, read_layout(store), store.clusters.free_pieces(), most)


def measure(store: FileStore, layout: Iterable[Placed], free: Iterable[Piece], most: int) -> Fragmentation:
    """The fragmentation of a given layout and of given free clusters."""
    size = store.boot.cluster_size
    worst: list[tuple[int, Key, Placed]] = []
    count = fragmented = fragments = 0
    for placed in layout:
        count += 1
        pieces = len(placed.pieces)
        if pieces > 1:
            fragmented += 1
            fragments += pieces - 1
            entry = (pieces, placed.key, placed)
            if len(worst) < most:
                heappush(worst, entry)
            elif most:
                heappushpop(worst, entry)
    extents, sizes = Counter[int | None](), Counter[int | None]()
    largest = 0
    for _, length in free:
        below = next((limit for limit in CLASSES if length * size < limit), None)
        extents[below] += 1
        sizes[below] += length * size
        largest = max(largest, length * size)
    return Fragmentation(
        size=store.boot.cluster_count * size,
        cluster_size=size,
        attributes=count,
        fragmented=fragmented,
        fragments=fragments,
        worst=[described(store, placed) for _, _, placed in sorted(worst, reverse=True)],
        free=sizes.total(),
        free_extents=extents.total(),
        largest_free=largest,
        free_classes=[FreeClass(below, extents[below], sizes[below]) for below in (*CLASSES, None)],
    )


def look_at(store: FileStore, paths: Iterable[str]) -> list[Fragmented]:
    """The content of the files at `paths`, in that order. Missing files and resident content are left out."""
    found = []
    for path in paths:
        try:
            file = find_file(store, path)
        except NotFoundError:
            continue
        extents = file.extents(Kind.DATA)
        if extents and extents[0].non_resident:
            pieces = joined(file.runs(extents))
            found.append(described(store, Placed(Key(file.number, Kind.DATA, ""), pieces, "")))
    return found


def described(store: FileStore, placed: Placed) -> Fragmented:
    """An attribute with its path, to be shown."""
    path = title(store, placed.key)
    return Fragmented(path, len(placed.pieces), placed.clusters * store.boot.cluster_size, placed.fixed)


def title(store: FileStore, key: Key) -> str:
    """``\\Windows\\notes.txt``, ``\\Windows\\notes.txt:stream``, ``\\Windows (index)``."""
    path = path_of(store, key.record)
    if key.kind == Kind.DATA:
        return f"{path}:{key.name}" if key.name else path
    shown = SHOWN_KINDS.get(Kind(key.kind), "") if key.kind in set(Kind) else ""
    name = "" if key.name in ("", FILE_NAMES) else f" {key.name}"
    return f"{path} ({shown or hex(key.kind)}{name})"


def path_of(store: FileStore, number: int) -> str:
    """A file's path from the root, by its first long name. An unreadable parent is shown as its record's number."""
    names: list[str] = []
    for _ in range(DEEPEST):
        if number == ROOT:
            break
        try:
            found = file_names(store.file(number))
        except FormatError:
            found = []
        name = next((each for each in found if each.space != Space.DOS), None)
        if name is None:
            names.append(f"<record {number}>")
            break
        names.append(name.name)
        number = name.parent_number
    return "\\" + "\\".join(reversed(names))
