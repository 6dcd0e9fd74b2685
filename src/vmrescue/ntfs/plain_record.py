"""Reads which attributes of a file record are in clusters, directly from its bytes, to be fast.

It handles plain records, as nearly all are: the file's only record, attributes without extents, runs without holes. For
any other record, and if anything is odd, the result is None, and `record.read_record` has to be used. Sources: those of
`structures`.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from vmrescue.errors import FormatError
from vmrescue.ntfs.structures.attribute import NON_RESIDENT_HEADER, RESIDENT_HEADER, Kind
from vmrescue.ntfs.structures.fixup import unprotect
from vmrescue.ntfs.structures.record import ARRAY_OFFSET, END, END_SIZE, SIGNATURE

if TYPE_CHECKING:
    from vmrescue.ntfs.bitmap import Piece

_RECORD = struct.Struct("<4sHH12xHHI4xQ")  # signature, update sequence array; first attribute, flags, bytes used, base
_ATTRIBUTE = struct.Struct("<IIBBHH")  # type, length, non-resident, name's length, name's offset, flags
_CLUSTERS = struct.Struct("<16xQQHHI")  # first VCN, last VCN, offset of the mapping pairs, compression unit, padding
_VALUE = struct.Struct("<16xIH")  # value's size, offset


def stored_in(record: bytes, clusters: int, parent: int | None) -> list[tuple[int, str, tuple[Piece, ...]]] | None:
    """Each attribute in clusters: (type, name, pieces). None if the record is not plain.

    Args:
        record: the bytes of a record in use, as on the disk.
        clusters: number of clusters of the volume.
        parent: the reference of a folder; records of files in it do not count as plain.
    """
    try:
        return _stored(unprotect(record, "file record", 0), clusters, parent)
    except (FormatError, struct.error, UnicodeDecodeError):  # the record is torn, or an offset in it is wrong
        return None


def _stored(raw: bytearray, clusters: int, parent: int | None) -> list[tuple[int, str, tuple[Piece, ...]]] | None:
    signature, _, _, at, _, used, base = _RECORD.unpack_from(raw)
    if signature != SIGNATURE or base or used > len(raw) or at % 8 or not ARRAY_OFFSET - 6 <= at <= len(raw) - END_SIZE:
        return None
    found: list[tuple[int, str, tuple[Piece, ...]]] = []
    while True:
        kind = int.from_bytes(raw[at : at + 4], "little")
        if kind == END:
            return found if at + 4 <= used else None
        _, length, in_clusters, name_length, name_at, flags = _ATTRIBUTE.unpack_from(raw, at)
        if kind == Kind.ATTRIBUTE_LIST or length % 8 or not RESIDENT_HEADER <= length <= used - at:
            return None
        if name_length and name_at + 2 * name_length > length:
            return None
        if in_clusters:
            pieces = None if flags else _pieces(raw[at : at + length], clusters)
            if pieces is None:
                return None
            name = raw[at + name_at : at + name_at + 2 * name_length].decode("utf-16-le") if name_length else ""
            if pieces:
                found.append((kind, name, pieces))
        else:
            size, place = _VALUE.unpack_from(raw, at)
            if not RESIDENT_HEADER <= place <= length - size:
                return None
            if kind == Kind.FILE_NAME and int.from_bytes(raw[at + place : at + place + 8], "little") == parent:
                return None
        at += length


def _pieces(attribute: bytearray, clusters: int) -> tuple[Piece, ...] | None:
    """The pieces of an attribute, in the order of its content; None if its runs are not plain."""
    if len(attribute) < NON_RESIDENT_HEADER:
        return None
    first, last, at, _, _ = _CLUSTERS.unpack_from(attribute)
    if first or not NON_RESIDENT_HEADER <= at < len(attribute):
        return None
    pieces: list[Piece] = []
    vcn = lcn = 0
    while at < len(attribute) and attribute[at]:
        count_size, lcn_size = attribute[at] & 15, attribute[at] >> 4
        end = at + 1 + count_size + lcn_size
        count = int.from_bytes(attribute[at + 1 : at + 1 + count_size], "little", signed=True)
        if not 0 < count <= clusters or not lcn_size or max(count_size, lcn_size) > 8 or end > len(attribute):
            return None  # damaged, or a hole
        lcn += int.from_bytes(attribute[at + 1 + count_size : end], "little", signed=True)
        if not 0 <= lcn <= clusters - count:
            return None
        if pieces and sum(pieces[-1]) == lcn:
            pieces[-1] = (pieces[-1][0], pieces[-1][1] + count)
        else:
            pieces.append((lcn, count))
        vcn, at = vcn + count, end
    return tuple(pieces) if vcn - 1 == last else None
