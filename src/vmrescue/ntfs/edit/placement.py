"""The places of a file's attributes: in the base record while they fit, else in extension records.

The longest attribute is moved first: resident data to clusters, anything else to a record with room, which
$ATTRIBUTE_LIST then names. A run list too long for one record is split into extents.

Resizing a value, allocating a record and growing $MFT are in this module too, because each may need the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import RefusedError
from vmrescue.ntfs.cluster_stream import ClusterStream
from vmrescue.ntfs.edit.record_bitmap import free_record, take_record
from vmrescue.ntfs.structures.attribute import Attribute, Kind
from vmrescue.ntfs.structures.attribute_list import MAX_SIZE, write_list
from vmrescue.ntfs.structures.fields import align8
from vmrescue.ntfs.structures.positions import Lcn, Vcn
from vmrescue.ntfs.structures.run_list import RunList, encode_pairs
from vmrescue.ntfs.structures.system_files import MFT

if TYPE_CHECKING:
    from vmrescue.ntfs.store import File, FileStore
    from vmrescue.ntfs.structures.record import FileRecord

PINNED = (Kind.STANDARD_INFORMATION, Kind.ATTRIBUTE_LIST, Kind.INDEX_ROOT)
STORABLE = (Kind.ATTRIBUTE_LIST, Kind.SECURITY_DESCRIPTOR, Kind.DATA, Kind.EA)
SHORT_PAIRS = 64  # bytes of mapping pairs for which every record is given room
LEAST_STORED = 0x48  # bytes; for a smaller value a non-resident attribute would be longer than the resident one
TABLE_GROWTH = 1 << 16  # bytes by which $MFT is made longer
MAX_STEPS = 10_000  # ends an endless loop; no file needs so many


def add_attribute(file: File, attribute: Attribute) -> None:
    """Adds an attribute to the base record. `settle` must be called to make it fit."""
    file.base.add(attribute)
    file.relist()


def remove_attribute(file: File, kind: int, name: str = "") -> None:
    """Removes an attribute with all its extents. The caller must free its clusters."""
    gone = file.extents(kind, name)
    for record in file.records():
        for attribute in gone:
            record.remove(attribute)
    file.relist()


def settle(file: File) -> None:
    """Moves attributes until every record of the file fits, frees empty records, and updates the attribute list.

    Raises:
        RefusedError: the attributes cannot be made to fit, or the volume is full.
    """
    for _ in range(MAX_STEPS):
        _drop_empty_records(file)
        _store_list(file)
        full = next((record for record in file.records() if record.room < 0), None)
        if full is None:
            return
        _relieve(file, full)
    raise RefusedError(f"the attributes of file record {file.number} cannot be made to fit")


def _relieve(file: File, record: FileRecord) -> None:
    """Moves one attribute out of a record that is too full."""
    for attribute in sorted(record.attributes, key=lambda found: found.length, reverse=True):
        if attribute.kind in STORABLE and not attribute.non_resident and attribute.value_length > LEAST_STORED:
            make_stored(file, attribute)
            return
        if _movable(file, attribute) and len(record.attributes) > 1:
            _move(file, record, attribute)
            return
    raise RefusedError(f"{record.title} has no room for its attributes")


def _movable(file: File, attribute: Attribute) -> bool:
    """Whether an attribute may leave the base record. $MFT's first runs must stay in its own record."""
    first_of_table = file.number == MFT and attribute.kind == Kind.DATA and attribute.lowest_vcn == 0
    return attribute.kind not in PINNED and not first_of_table


def _move(file: File, record: FileRecord, attribute: Attribute) -> None:
    record.remove(attribute)
    _record_with_room(file, attribute.length, record).add(attribute)
    file.relist()


def _record_with_room(file: File, size: int, besides: FileRecord) -> FileRecord:
    """An extension record with room for `size` bytes, new if there is none."""
    for record in file.records()[1:]:
        if record is not besides and record.room >= size:
            return record
    return _new_extension(file)


def _new_extension(file: File) -> FileRecord:
    record = allocate_record(file.store, for_table=file.number == MFT)
    record.base = file.reference
    file.adopt(record)
    return record


def make_stored(file: File, attribute: Attribute) -> None:
    """Moves the value of a resident attribute to clusters."""
    record = file.holder(attribute)
    value = attribute.value
    stored = Attribute.stored(attribute.kind, attribute.name, attribute.flags)
    stored.number = attribute.number
    record.attributes[record.attributes.index(attribute)] = stored
    _rewrite(file, stored, value)
    file.relist()


def set_sizes(file: File, first: Attribute, runs: RunList, size: int) -> None:
    """Writes a value's sizes into its first extent; its initialized size becomes `size`."""
    first.allocated_size = runs.clusters * file.store.boot.cluster_size
    first.data_size = size
    first.initialized_size = size


def set_runs(file: File, extents: list[Attribute], runs: RunList, old_clusters: int) -> None:
    """Stores the runs of an attribute after clusters were added or cut off at its end.

    Extents that end before the change are not rewritten.
    """
    same = min(old_clusters, runs.clusters)
    kept = [extent for extent in extents if extent.highest_vcn < same]
    if runs.clusters >= old_clusters:
        kept = kept[: len(extents) - 1]
    changed = extents[len(kept) :]
    stays = changed and (not kept or runs.clusters > changed[0].lowest_vcn)
    for extent in changed[1 if stays else 0 :]:
        file.holder(extent).remove(extent)
    if stays:
        _lay_out(file, changed[0], runs)
    file.relist()


def _lay_out(file: File, extent: Attribute, runs: RunList) -> None:
    """Writes the runs from the start of `extent` on into `extent`, and into as many new extents as they need."""
    record = file.holder(extent)
    rest = runs.since(extent.first_vcn)
    pairs, _ = encode_pairs(rest)
    crowded = len(pairs) > max(SHORT_PAIRS, _pairs_room(record, extent)) and len(record.attributes) > 1
    if crowded and _movable(file, extent):
        record.remove(extent)
        record = _new_extension(file)
        record.add(extent)
    if not rest:
        extent.set_pairs(pairs, extent.first_vcn)
    while rest:
        pairs, done = encode_pairs(rest, max(_pairs_room(record, extent), SHORT_PAIRS))
        extent.set_pairs(pairs, rest[done - 1].next_vcn)
        rest = rest[done:]
        if rest:
            extent = Attribute.stored(extent.kind, extent.name, extent.flags, rest[0].vcn)
            record = _new_extension(file)
            record.add(extent)


def _pairs_room(record: FileRecord, extent: Attribute) -> int:
    return record.room + extent.pairs_room


def _drop_empty_records(file: File) -> None:
    for record in file.records()[1:]:
        if not record.attributes:
            file.forget(record)
            free_record(file.store, record)


def _store_list(file: File) -> None:
    """Updates $ATTRIBUTE_LIST; a file with one record has none."""
    found = file.lists
    value = write_list(file.lines) if len(file.records()) > 1 else b""
    if len(value) > MAX_SIZE:
        raise RefusedError(f"the attributes of file record {file.number} are too many for an attribute list")
    for attribute in found:
        if not value:
            file.base.remove(attribute)
        if attribute.non_resident:
            _rewrite(file, attribute, value)
        else:
            attribute.value = value
    if value and not found:
        file.base.add(Attribute.resident(Kind.ATTRIBUTE_LIST, "", value))
    file.relist()


def _rewrite(file: File, attribute: Attribute, value: bytes) -> None:
    """Replaces the value of a non-resident attribute of one extent; takes or frees clusters for it."""
    store = file.store
    runs = file.runs([attribute])
    needed = store.boot.clusters_for(len(value))
    if needed > runs.clusters:
        for first, length in store.clusters.allocate(needed - runs.clusters, runs.next_lcn):
            runs.append(Lcn(first), length)
    store.clusters.free(runs.cut(needed))
    set_sizes(file, attribute, runs, len(value))
    attribute.set_pairs(encode_pairs(runs)[0], Vcn(needed))
    ClusterStream(store.pending, runs, store.boot.cluster_size).write_at(0, value)


def resize(file: File, kind: int, name: str, size: int) -> None:
    """Makes a value `size` bytes long; takes or frees clusters. The caller writes the new bytes.

    A resident value stays resident while there is room. A non-resident one stays so, as in Windows. The caller must
    call `settle` afterwards.

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
    """Makes a value of metadata longer; the new bytes are zeros."""
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
            runs.append(Lcn(first), length)
    clusters.free(runs.cut(needed))
    set_sizes(file, extents[0], runs, size)
    if needed != old:
        set_runs(file, extents, runs, old)


def allocate_record(store: FileStore, for_table: bool = False) -> FileRecord:
    """Takes an empty record. If $MFT has no free one, $MFT grows first, which may itself need a record.

    Args:
        for_table: for an extension of $MFT's own record, which must be in $MFT's first clusters.

    Raises:
        RefusedError: the volume is full.
    """
    record = take_record(store, for_table)
    if record is None and not for_table:
        grow_table(store)
        record = take_record(store)
    if record is None:
        raise RefusedError("no file record is left" + (" for $MFT itself" if for_table else ""))
    return record


def grow_table(store: FileStore) -> None:
    """Makes $MFT and its bitmap longer by some free records."""
    file, record_size = store.file(MFT), store.boot.record_size
    old = store.mft.count
    count = old + max(TABLE_GROWTH, store.boot.cluster_size) // record_size
    bitmap_size = -(-count // 64) * 8
    if bitmap_size > file.get(Kind.BITMAP).size:
        resize_zeroed(file, Kind.BITMAP, "", bitmap_size)
    resize(file, Kind.DATA, "", count * record_size)
    store.mft.refresh(file.runs(file.extents(Kind.DATA)), count * record_size)
    store.mft.blank(range(old, count))
    settle(file)
