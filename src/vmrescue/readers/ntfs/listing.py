"""What a listing tells of files, read directly from their records, many at once, without dissect.ntfs's objects.

Only plain files and directories are read here: all attributes in the record, no reparse point, data that is not
compressed, encrypted or sparse. Of others there is no result, and dissect's record has to be used.
Source: linux-ntfs documentation, "File record", "Attribute Header", "Fixup".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from vmrescue.readers.file_system import Entry, flags_of
from vmrescue.readers.ntfs.layout import RECORD_SIGNATURE, fixed_up
from vmrescue.readers.ntfs.plain_record import ATTRIBUTE_LIST, DATA, END, FILE_NAME, REPARSE_POINT
from vmrescue.readers.ntfs.plain_record import STANDARD as STANDARD_INFORMATION
from vmrescue.readers.ntfs.standard import STANDARD, marks_from, standard_from

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

SPAN = 256  # records that are read at once where those that are wanted are near each other
IN_USE, DIRECTORY = 1, 2  # a record's flags
SPACE_AT, DOS_NAME = 0x41, 2  # $FILE_NAME's field for the name space; the name space of short names

# signature; place and length of the update sequence array; names, first attribute, flags; base record
_RECORD = struct.Struct("<4sHH10xHHH8xQ")
_ATTRIBUTE = struct.Struct("<IIBB2xH")  # type, length, non-resident, name's length, flags
_VALUE = struct.Struct("<16xIH")  # resident: value's size, offset
_CLUSTERS = struct.Struct("<16xQ16xqq")  # non-resident: first VCN, allocated size, size


def described(table: BinaryIO, size: int, wanted: Iterable[tuple[int, str]]) -> Iterator[Entry | None]:
    """What a listing tells of each wanted file, given by (record's number, name), in the order of the numbers.

    None where the record is not plain.

    Args:
        table: the content of $MFT.
        size: bytes of a record.
    """
    group: list[tuple[int, str]] = []
    for each in sorted(wanted):
        if group and each[0] >= group[0][0] + SPAN:
            yield from _read(table, size, group)
            group = []
        group.append(each)
    if group:
        yield from _read(table, size, group)


def _read(table: BinaryIO, size: int, group: list[tuple[int, str]]) -> Iterator[Entry | None]:
    first, last = group[0][0], group[-1][0]
    table.seek(first * size)
    records = table.read((last + 1 - first) * size)
    for number, name in group:
        at = (number - first) * size
        try:
            yield _entry(records[at : at + size], size, number, name)
        except (struct.error, IndexError):  # what is stated leads out of the record
            yield None


def _entry(data: bytes, size: int, number: int, name: str) -> Entry | None:
    signature, array, count, links, at, flags, base = _RECORD.unpack_from(data)
    if signature != RECORD_SIGNATURE or len(data) != size or not flags & IN_USE or base:
        return None
    record = fixed_up(data, array, count)
    if record is None:
        return None
    modified, attributes, names, file_size, stored = None, 0, 0, -1, 0
    while True:
        kind = int.from_bytes(record[at : at + 4], "little")
        if kind == END:
            break
        kind, length, in_clusters, name_length, how = _ATTRIBUTE.unpack_from(record, at)
        if kind in (ATTRIBUTE_LIST, REPARSE_POINT) or length < _ATTRIBUTE.size or at + length > size:
            return None
        if kind in (STANDARD_INFORMATION, FILE_NAME, DATA):
            if not in_clusters:
                value, place = _VALUE.unpack_from(record, at)
                if place + value > length:
                    return None
                if kind == STANDARD_INFORMATION and value >= STANDARD.size:
                    modified, attributes = standard_from(record[at + place : at + place + STANDARD.size])
                elif kind == FILE_NAME:
                    names += record[at + place + SPACE_AT] != DOS_NAME
            elif kind == DATA:
                lowest, allocated, value = _CLUSTERS.unpack_from(record, at)
                if lowest or value < 0:
                    return None
                stored += max(allocated, 0)
            else:
                return None
            if kind == DATA:
                if how or (not name_length and file_size >= 0):
                    return None
                file_size = file_size if name_length else value
        at += length
    directory = bool(flags & DIRECTORY)
    return Entry(
        name,
        directory,
        size=0 if directory else max(file_size, 0),
        number=number,
        marks=marks_from(attributes),
        on_disk=0 if directory else stored,
        names=names if links > 1 else 1,
        modified=modified,
        flags=flags_of(attributes),
    )
