"""Reads what the checks of a volume need of a file record, directly from its bytes, to be fast.

It handles plain records, as nearly all are: the file's only record, attributes without extents, runs without holes. For
any other record, and if anything is odd, the result is None, and `record.read_record` has to be used. Sources: those of
`structures`.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from vmrescue.errors import FormatError
from vmrescue.ntfs.structures.attribute import NON_RESIDENT_HEADER, RESIDENT_HEADER, Kind
from vmrescue.ntfs.structures.fields import align8
from vmrescue.ntfs.structures.file_name import HEADER
from vmrescue.ntfs.structures.fixup import unprotect
from vmrescue.ntfs.structures.record import ARRAY_OFFSET, END, END_SIZE, SIGNATURE, RecordFlag

if TYPE_CHECKING:
    from vmrescue.ntfs.bitmap import Piece

_RECORD = struct.Struct("<4s12xHHHHI4xQ")  # signature; sequence, links, first attribute, flags, bytes used; base record
_ATTRIBUTE = struct.Struct("<IIBBHH")  # type, length, whether in clusters, name's length, name's place, flags
_VALUE = struct.Struct("<16xIH")  # its bytes, its place
# first VCN, last VCN, offset of the mapping pairs; allocated, real and initialized size
_CLUSTERS = struct.Struct("<16xQQH6xQQQ")
NAME_LENGTH_AT = 0x40  # of a $FILE_NAME
_ORDINARY = (Kind.STANDARD_INFORMATION, Kind.FILE_NAME, Kind.SECURITY_DESCRIPTOR, Kind.DATA)


class Stored(NamedTuple):
    """An attribute in clusters; sizes are in bytes.

    Attributes:
        pieces: in the order of its content; none is a hole.
        clusters: how many it has.
    """

    kind: int
    name: str
    pieces: tuple[Piece, ...]
    clusters: int
    allocated: int
    size: int
    initialized: int


class PlainRecord(NamedTuple):
    """A file record that is all there is of its file.

    Attributes:
        reference: the record's number, and above 48 bits its sequence number.
        links: how many names it says that it has.
        is_directory: what its flags say.
        is_ordinary: it has times, names, descriptors and data, in the order of their types, and nothing else.
        names: its $FILE_NAME values.
        stored: its attributes in clusters.
        size, allocated: bytes of the unnamed data, as a directory's entry has them; 0 without any.
    """

    reference: int
    links: int
    is_directory: bool
    is_ordinary: bool
    names: tuple[bytes, ...]
    stored: tuple[Stored, ...]
    size: int
    allocated: int


def read_plain(record: bytes, number: int, clusters: int) -> PlainRecord | None:
    """What a record in use says; None where it is not plain.

    Args:
        record: as it is on the disk.
        number: the record's.
        clusters: of the volume.
    """
    try:
        return _read(unprotect(record, "file record", 0), number, clusters)
    except (FormatError, struct.error, UnicodeDecodeError):  # it is torn, or what is stated leads out of it
        return None


def _read(raw: bytearray, number: int, clusters: int) -> PlainRecord | None:
    signature, sequence, links, at, flags, used, base = _RECORD.unpack_from(raw)
    if signature != SIGNATURE or not flags & RecordFlag.IN_USE or base or used > len(raw):
        return None
    if at % 8 or not ARRAY_OFFSET - 6 <= at <= len(raw) - END_SIZE:
        return None
    names: list[bytes] = []
    stored: list[Stored] = []
    kinds: list[int] = []
    seen: set[tuple[int, str]] = set()
    size = allocated = 0
    while True:
        kind = int.from_bytes(raw[at : at + 4], "little")
        if kind == END:
            break
        _, length, in_clusters, name_length, name_at, storage = _ATTRIBUTE.unpack_from(raw, at)
        if kind == Kind.ATTRIBUTE_LIST or length % 8 or not RESIDENT_HEADER <= length <= used - at:
            return None
        if name_length and name_at + 2 * name_length > length:
            return None
        name = raw[at + name_at : at + name_at + 2 * name_length].decode("utf-16-le") if name_length else ""
        if kind != Kind.FILE_NAME and (kind, name) in seen:
            return None
        seen.add((kind, name))
        kinds.append(kind)
        if in_clusters:
            found = None if storage or kind == Kind.FILE_NAME else _stored(kind, name, raw[at : at + length], clusters)
            if found is None:
                return None
            stored.append(found)
            sizes = found.size, found.allocated
        else:
            value_size, place = _VALUE.unpack_from(raw, at)
            if not RESIDENT_HEADER <= place <= length - value_size:
                return None
            if kind == Kind.FILE_NAME:
                names.append(bytes(raw[at + place : at + place + value_size]))
            sizes = value_size, align8(value_size)
        if kind == Kind.DATA and not name:
            size, allocated = sizes
        at += length
    if at + 4 > used or any(len(each) < HEADER or len(each) < HEADER + 2 * each[NAME_LENGTH_AT] for each in names):
        return None
    is_directory = bool(flags & RecordFlag.DIRECTORY)
    is_ordinary = kinds == sorted(kinds) and set(kinds).issubset(_ORDINARY)
    return PlainRecord(
        sequence << 48 | number,
        links,
        is_directory,
        is_ordinary,
        tuple(names),
        tuple(stored),
        0 if is_directory else size,
        0 if is_directory else allocated,
    )


def _stored(kind: int, name: str, attribute: bytearray, clusters: int) -> Stored | None:
    """An attribute in clusters; None where its runs are not plain."""
    if len(attribute) < NON_RESIDENT_HEADER:
        return None
    first, last, at, allocated, size, initialized = _CLUSTERS.unpack_from(attribute)
    if first or not NON_RESIDENT_HEADER <= at < len(attribute):
        return None
    pieces: list[Piece] = []
    vcn = lcn = 0
    while at < len(attribute) and attribute[at]:
        count_size, lcn_size = attribute[at] & 15, attribute[at] >> 4
        end = at + 1 + count_size + lcn_size
        count = int.from_bytes(attribute[at + 1 : at + 1 + count_size], "little", signed=True)
        if not 0 < count <= clusters or not lcn_size or max(count_size, lcn_size) > 8 or end > len(attribute):
            return None  # a hole is not plain either
        lcn += int.from_bytes(attribute[at + 1 + count_size : end], "little", signed=True)
        if not 0 <= lcn <= clusters - count:
            return None
        if pieces and sum(pieces[-1]) == lcn:
            pieces[-1] = (pieces[-1][0], pieces[-1][1] + count)
        else:
            pieces.append((lcn, count))
        vcn, at = vcn + count, end
    if vcn - 1 != last:
        return None
    return Stored(kind, name, tuple(pieces), vcn, allocated, size, initialized)
