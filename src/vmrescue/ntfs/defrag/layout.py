"""The layout of a volume: every attribute that is stored in clusters, found in one pass through $MFT.

An attribute's clusters are in pieces; the holes of a sparse or compressed attribute do not end a piece. An attribute of
one piece is not fragmented.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vmrescue.errors import FormatError, NotFoundError
from vmrescue.ntfs.directory import find_entry
from vmrescue.ntfs.plain_record import read_plain_records
from vmrescue.ntfs.reaching import Reaching
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.ntfs.structures.file_name import HEADER, FileName
from vmrescue.ntfs.structures.record import NUMBER_MASK, RecordFlag, read_record
from vmrescue.ntfs.structures.run_list import HOLE
from vmrescue.ntfs.structures.system_files import (
    BAD_CLUSTERS,
    BITMAP,
    BOOT,
    LOG_FILE,
    MFT,
    MFT_MIRROR,
    SNAPSHOTS,
    UPCASE,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmrescue.ntfs.bitmap import Piece
    from vmrescue.ntfs.store import FileStore
    from vmrescue.ntfs.structures.record import FileRecord
    from vmrescue.ntfs.structures.run_list import Run

IN_USE_AT = 0x16


class Key(NamedTuple):
    """Which attribute of which file."""

    record: int
    kind: int
    name: str


FIXED = {  # why NTFS's own files do not move; each a sentence, which is shown behind a path
    MFT: "it stays: it goes with $MFT",
    MFT_MIRROR: "it stays: the boot sector says where it is",
    LOG_FILE: "it stays: it is what an interrupted edit is undone from",
    BITMAP: "it stays: it is edited with every move",
    BOOT: "it stays: it has one place",
    BAD_CLUSTERS: "it stays: its clusters are bad",
    UPCASE: "it stays: every look-up needs it",
}
TABLE = Key(MFT, Kind.DATA, "")
OF_TABLE = "its first piece stays: the boot sector says where it is"
LIST = "it stays: an attribute list is rewritten when its file's other attributes move"
PINNED = "it stays: shadow copies know its clusters by number"


class Placed(NamedTuple):
    """An attribute and its pieces, in the order of its content. `fixed`: why it must not move, empty if it may."""

    key: Key
    pieces: tuple[Piece, ...]
    fixed: str

    @property
    def clusters(self) -> int:
        return sum(length for _, length in self.pieces)


def joined(runs: Iterable[Run]) -> tuple[Piece, ...]:
    """The pieces of runs: adjacent ones joined, holes left out."""
    pieces: list[Piece] = []
    for run in runs:
        if run.lcn == HOLE:
            continue
        if pieces and sum(pieces[-1]) == run.lcn:
            pieces[-1] = (pieces[-1][0], pieces[-1][1] + run.length)
        else:
            pieces.append((run.lcn, run.length))
    return tuple(pieces)


def read_layout(store: FileStore, part: Piece | None = None) -> Iterator[Placed]:
    """Every attribute that has clusters. Unreadable records are skipped; the volume's check reports them.

    Files with several records come last; until then their runs are kept in memory.

    Args:
        part: clusters of the volume: what has none of these may be left out, and of a file with several records, what
            these have elsewhere.
    """
    return _Reader(store).read(part)


class _Reader:
    def __init__(self, store: FileStore) -> None:
        self._store = store
        self._snapshots = _snapshot_folder(store)
        self._parts: dict[Key, list[tuple[int, list[Run]]]] = {}  # of files with several records
        self._pinned: set[int] = set()  # files with several records that are in the shadow copies' folder

    def read(self, part: Piece | None) -> Iterator[Placed]:
        boot, snapshots = self._store.boot, self._snapshots
        passed_over = Reaching(boot.record_size, part).passes_over if part else None
        for numbers in self._store.mft.written():
            raw = self._store.mft.raw(numbers)
            records, found = read_plain_records(raw, numbers.start, boot.record_size, boot.cluster_count, passed_over)
            for number, record in found:
                if record is None:
                    at = (number - numbers.start) * boot.record_size
                    yield from self._odd(number, raw[at : at + boot.record_size])
                elif record.stored:
                    parents = (int.from_bytes(records[at : at + 8], "little") for at in record.names)
                    pinned = snapshots is not None and snapshots in parents
                    for stored in record.stored:
                        if stored.pieces:
                            key = Key(number, stored.kind, stored.name)
                            yield Placed(key, tuple(stored.pieces), _why_fixed(key, pinned))
        for key, parts in self._parts.items():
            if pieces := joined(run for _, runs in sorted(parts) for run in runs):
                yield Placed(key, pieces, _why_fixed(key, key.record in self._pinned))

    def _odd(self, number: int, data: bytes) -> Iterator[Placed]:
        """The same of a record that is not plain; what belongs to a file with several records is kept for later."""
        if not data[IN_USE_AT] & RecordFlag.IN_USE:
            return
        try:
            record = read_record(data, number, number * len(data))
        except FormatError:
            return
        base = record.base & NUMBER_MASK if record.base else record.number
        alone = not record.base and all(found.kind != Kind.ATTRIBUTE_LIST for found in record.attributes)
        pinned = self._is_pinned(record)
        if pinned and not alone:
            self._pinned.add(base)
        for attribute in record.attributes:
            if not attribute.non_resident:
                continue
            key = Key(base, attribute.kind, attribute.name)
            try:
                runs = attribute.runs(self._store.boot.cluster_count)
            except FormatError:
                continue
            if not alone:
                self._parts.setdefault(key, []).append((attribute.lowest_vcn, runs))
            elif pieces := joined(runs):
                yield Placed(key, pieces, _why_fixed(key, pinned))

    def _is_pinned(self, record: FileRecord) -> bool:
        return self._snapshots is not None and any(
            FileName(attribute.value).parent == self._snapshots
            for attribute in record.attributes
            if attribute.kind == Kind.FILE_NAME and not attribute.non_resident and attribute.value_length >= HEADER
        )


def _why_fixed(key: Key, pinned: bool) -> str:
    if key == TABLE:
        return OF_TABLE
    return FIXED.get(key.record, LIST if key.kind == Kind.ATTRIBUTE_LIST else PINNED if pinned else "")


def _snapshot_folder(store: FileStore) -> int | None:
    """The reference of the folder in which shadow copies are kept; None if there is none."""
    try:
        return find_entry(store, SNAPSHOTS)[1].reference
    except NotFoundError:
        return None
