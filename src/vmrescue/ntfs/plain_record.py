"""Reads what the checks of a volume need of file records, directly from their bytes, to be fast.

It handles plain records, as nearly all are: the file's only record, attributes in the order of their types and without
extents, runs without holes. For any other record, and if anything is odd, there is no result, and `record.read_record`
has to be used. Sources: those of `structures`.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from vmrescue.ntfs.structures.attribute import NON_RESIDENT_HEADER, RESIDENT_HEADER, Kind
from vmrescue.ntfs.structures.fields import align8
from vmrescue.ntfs.structures.file_name import HEADER
from vmrescue.ntfs.structures.fixup import head_of, unprotect_all
from vmrescue.ntfs.structures.record import ARRAY_OFFSET, END, END_SIZE, SIGNATURE, RecordFlag

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vmrescue.ntfs.bitmap import Piece

    Found = tuple[int, "PlainRecord | None"]  # a record's number, and what it says; None if it is not plain

# sequence, links, first attribute, flags, bytes used; base record. At 0x10 of a record
_RECORD = struct.Struct("<HHHHI4xQ").unpack_from
RECORD_AT = 0x10
FLAGS_AT = 0x16
# type, length, whether in clusters, name's length, name's place; its value's length and place
_RESIDENT = struct.Struct("<IIBBH4xIH2x")
# the same up to flags; first VCN, last VCN, offset of the mapping pairs; allocated, real and initialized size
_STORED = struct.Struct("<IIBBHH2xQQH6xQQQ").unpack_from
IN_CLUSTERS_AT = 8  # of an attribute
NAME_LENGTH_AT = 0x40  # of a $FILE_NAME
_END = END.to_bytes(4, "little")
_INDEXED = int(Kind.INDEX_ROOT), int(Kind.BITMAP)
FILE_NAME, DATA = int(Kind.FILE_NAME), int(Kind.DATA)  # comparing with an enumeration takes twice the time
IN_USE, DIRECTORY = int(RecordFlag.IN_USE), int(RecordFlag.DIRECTORY)
HEADS_KEPT = 1 << 14  # of resident attributes: few differ


class NonResident(NamedTuple):
    """An attribute in clusters; sizes are in bytes.

    Attributes:
        length: of the attribute in its record.
        pieces: in the order of its content; none is a hole.
        clusters: how many it has.
    """

    kind: int
    name: str
    length: int
    pieces: list[Piece]
    clusters: int
    allocated: int
    size: int
    initialized: int


_new = tuple.__new__  # as `PlainRecord._make` does it, without a call in Python


class PlainRecord(NamedTuple):
    """A file record that is all there is of its file. Places are counted from the start of the bytes it was read from.

    Attributes:
        reference: the record's number, and above 48 bits its sequence number.
        links: how many names it says that it has.
        is_directory: what its flags say.
        kinds: the types of its attributes; bit n is type n * 16.
        names: where its $FILE_NAME values are, which have a whole name.
        stored: its attributes in clusters.
        indexed: of resident index roots and bitmaps: type, name, where the value is, how long it is.
        size, allocated: bytes of the unnamed data, as a directory's entry has them; 0 without any.
    """

    reference: int
    links: int
    is_directory: bool
    kinds: int
    names: Sequence[int]
    stored: Sequence[NonResident]
    indexed: Sequence[tuple[int, str, int, int]]
    size: int
    allocated: int


def read_plain_records(
    table: bytes, first: int, size: int, clusters: int, passed_over: Callable[[bytes, int], bool] | None = None
) -> tuple[bytes, list[Found]]:
    """The records of a part of $MFT with their fix-ups undone, and what each says that is not free and whole.

    Args:
        table: the records as they are on the disk.
        first: the number of the first.
        size: bytes of a record.
        clusters: of the volume.
        passed_over: whether the whole record in use at a place is of no interest; what is torn never is passed over.
    """
    records, torn = unprotect_all(table, size, ARRAY_OFFSET)
    head = head_of(SIGNATURE, ARRAY_OFFSET, size)
    found: list[Found] = []
    number = first
    for at in range(0, len(records) - size + 1, size):
        if records[at : at + 8] == head and number - first not in torn:
            if records[at + FLAGS_AT] & IN_USE and not (passed_over and passed_over(records, at)):
                found.append((number, read_plain(records, at, size, number, clusters)))
        elif records[at : at + 4] == SIGNATURE:
            found.append((number, None))
        number += 1
    return records, found


def read_plain(records: bytes, start: int, size: int, number: int, clusters: int) -> PlainRecord | None:
    """What the record in use at `start`, with its fix-ups undone, says; None where it is not plain."""
    sequence, links, at, flags, used, base = _RECORD(records, start + RECORD_AT)
    if base or used > size or at % 8 or not ARRAY_OFFSET - 6 <= at <= used - END_SIZE:
        return None
    first = at = start + at
    end = start + used - END_SIZE
    shape = _NOTHING
    stored: Sequence[NonResident] = ()
    indexed: Sequence[tuple[int, str, int, int]] = ()
    while at < end:
        head = records[at : at + RESIDENT_HEADER]
        try:
            longer = shape.longer[head]
        except KeyError:
            longer = shape.with_attribute(head)
        if longer is None:
            break
        if head[IN_CLUSTERS_AT]:
            attribute = _read_stored(records, at, end, clusters)
            if attribute is None:
                return None
            stored = (*stored, attribute)
        shape = longer
        at = first + shape.length
    if at < end:
        found = _read_attributes(records, first, end, clusters)
        if found is None:
            return None
        at, kinds, names, stored, indexed, data_size, allocated = found
    if at != end or records[at : at + 4] != _END:
        return None
    if shape.length == end - first:
        kinds, data_size, allocated, names = shape.kinds, shape.size, shape.allocated, []
        for place, longest in shape.names:
            names.append(first + place)
            if records[first + place + NAME_LENGTH_AT] > longest:
                return None
        for attribute in stored:
            if attribute.kind == DATA:
                data_size, allocated = attribute.size, attribute.allocated
    is_directory = flags & DIRECTORY != 0
    if is_directory:
        data_size = allocated = 0
    said = sequence << 48 | number, links, is_directory, kinds, names, stored, indexed, data_size, allocated
    return _new(PlainRecord, said)


class _Shape:
    """Attributes that follow each other from the first one on, without names, by their headers: most records of a
    volume have one of few shapes, and what a shape says is worked out once.

    Attributes:
        length: of all of them, in bytes.
        kinds, size, allocated: as of a `PlainRecord`; the sizes are those of resident data.
        names: where each $FILE_NAME value is, counted from the first attribute, and the most characters that fit there.
        longer: the shapes with one more attribute, by its header; None where `_read_attributes` has to look.
    """

    __slots__ = ("allocated", "kinds", "last", "length", "longer", "names", "size")

    def __init__(self) -> None:
        self.length = self.kinds = self.last = self.size = self.allocated = 0
        self.names: tuple[tuple[int, int], ...] = ()
        self.longer: dict[bytes, _Shape | None] = {}

    def with_attribute(self, head: bytes) -> _Shape | None:
        """The shape with one more attribute, which is remembered."""
        if len(_REMEMBERED) >= HEADS_KEPT:
            _NOTHING.longer.clear()
            _REMEMBERED.clear()
        _REMEMBERED.append(head)
        self.longer[head] = self._longer(head)
        return self.longer[head]

    def _longer(self, head: bytes) -> _Shape | None:
        shape = _Shape()
        if len(head) < RESIDENT_HEADER:
            return None
        kind, length, in_clusters, name_length, _, value_size, place = _RESIDENT.unpack(head)
        if name_length or kind in _INDEXED or (kind <= self.last and kind != FILE_NAME) or kind < self.last:
            return None
        if in_clusters and (not _is_known(kind) or kind == FILE_NAME or not length):
            return None
        if not in_clusters and _resident(head) is None:
            return None
        shape.names, shape.size, shape.allocated = self.names, self.size, self.allocated
        if kind == FILE_NAME:
            shape.names = (*self.names, (self.length + place, (value_size - HEADER) // 2))
        elif kind == DATA and not in_clusters:
            shape.size, shape.allocated = value_size, align8(value_size)
        shape.length, shape.last, shape.kinds = self.length + length, kind, self.kinds | 1 << (kind >> 4)
        return shape


_NOTHING = _Shape()
_REMEMBERED: list[bytes] = []  # as many as there are shapes


def _read_attributes(
    records: bytes, at: int, end: int, clusters: int
) -> tuple[int, int, list[int], Sequence[NonResident], Sequence[tuple[int, str, int, int]], int, int] | None:
    """Reads any attributes from `at` on, one by one; None where one is not plain.

    Returns where they end, and of a `PlainRecord` kinds, names, stored, indexed, and the two sizes.
    """
    names: list[int] = []
    stored: Sequence[NonResident] = ()
    indexed: Sequence[tuple[int, str, int, int]] = ()
    twice: Sequence[tuple[int, str]] = ()  # attributes that are not the first of their type
    kinds = last = data_size = allocated = 0
    name = last_name = ""
    while at < end:
        head = records[at : at + RESIDENT_HEADER]
        if head[IN_CLUSTERS_AT]:
            attribute = _read_stored(records, at, end, clusters)
            if attribute is None:
                return None
            stored = (*stored, attribute)
            kind, name, length = attribute.kind, attribute.name, attribute.length
            if kind == DATA and not name:
                data_size, allocated = attribute.size, attribute.allocated
        else:
            known = _resident(head) if len(head) == RESIDENT_HEADER else None
            if known is None:
                return None
            kind, length, is_read, place, value_size, name_at, name_end = known
            if is_read:
                name = ""
                if name_end:
                    try:
                        name = records[at + name_at : at + name_end].decode("utf-16-le")
                    except UnicodeDecodeError:
                        return None
                place += at
                if kind == FILE_NAME:
                    if value_size < HEADER + 2 * records[place + NAME_LENGTH_AT]:
                        return None
                    names.append(place)
                elif kind in _INDEXED:
                    indexed = (*indexed, (kind, name, place, value_size))
                elif kind == DATA and not name:
                    data_size, allocated = value_size, align8(value_size)
            else:
                name = ""
        if kind > last:
            last, last_name, kinds = kind, name, kinds | 1 << (kind >> 4)
        elif kind != FILE_NAME or kind != last:
            if kind < last or name == last_name or (kind, name) in twice:
                return None
            twice = (*twice, (kind, name))
        at += length
    return at, kinds, names, stored, indexed, data_size, allocated


@lru_cache(HEADS_KEPT)
def _resident(head: bytes) -> tuple[int, int, bool, int, int, int, int] | None:
    """What the header of a resident attribute says; None if it is not plain.

    Returns its type, its length, whether more of it is to be read; where its value is and how long, where its name
    begins and ends, counted from its start.
    """
    kind, length, _, name_length, name_at, value_size, place = _RESIDENT.unpack(head)
    name_end = name_at + 2 * name_length if name_length else 0
    if not _is_known(kind) or length % 8 or length < RESIDENT_HEADER or name_end > length:
        return None
    if not RESIDENT_HEADER <= place <= length - value_size:
        return None
    if kind == Kind.FILE_NAME and value_size < HEADER:
        return None
    is_read = bool(name_length) or kind in (Kind.FILE_NAME, Kind.DATA, *_INDEXED)
    return kind, length, is_read, place, value_size, name_at, name_end


def _is_known(kind: int) -> bool:
    return kind != Kind.ATTRIBUTE_LIST and kind % 16 == 0 and 0 < kind <= Kind.LOGGED_UTILITY_STREAM


def _read_stored(records: bytes, start: int, end: int, clusters: int) -> NonResident | None:
    """The attribute in clusters at `start`; None where it is not plain."""
    if start + NON_RESIDENT_HEADER > end:
        return None
    kind, length, _, name_length, name_at, flags, low, high, pairs, allocated, size, initialized = _STORED(
        records, start
    )
    if flags or low or not _is_known(kind) or kind == Kind.FILE_NAME or start + length > end or length % 8:
        return None
    if not NON_RESIDENT_HEADER <= pairs < length:
        return None
    name = ""
    if name_length:
        if name_at + 2 * name_length > length:
            return None
        try:
            name = records[start + name_at : start + name_at + 2 * name_length].decode("utf-16-le")
        except UnicodeDecodeError:
            return None
    pieces: list[Piece] = []
    at, end = start + pairs, start + length
    vcn = lcn = 0
    while at < end and (sizes := records[at]):
        count_size, lcn_size = sizes & 15, sizes >> 4
        place = at + 1 + count_size
        at = place + lcn_size
        if not lcn_size or count_size > 8 or lcn_size > 8 or at > end:
            return None  # a hole is not plain either
        count = int.from_bytes(records[place - count_size : place], "little", signed=True)
        lcn += int.from_bytes(records[place:at], "little", signed=True)
        if count <= 0 or not 0 <= lcn <= clusters - count:
            return None
        if pieces and sum(pieces[-1]) == lcn:
            pieces[-1] = (pieces[-1][0], pieces[-1][1] + count)
        else:
            pieces.append((lcn, count))
        vcn += count
    if vcn - 1 != high:
        return None
    return NonResident(kind, name, length, pieces, vcn, allocated, size, initialized)
