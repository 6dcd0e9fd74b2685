"""Attributes, the parts of a file record. A small value is in the record (resident), a large one in clusters.

Source: linux-ntfs documentation, "Attribute Header". An attribute keeps its bytes as they were read, so that fields
that are not changed are written back as they were.
"""

from __future__ import annotations

import struct
from enum import IntEnum, IntFlag

from vmrescue.errors import in_volume
from vmrescue.ntfs.structures.fields import Number, align8
from vmrescue.ntfs.structures.positions import Vcn
from vmrescue.ntfs.structures.run_list import Run, decode_pairs

RESIDENT_HEADER = 0x18
NON_RESIDENT_HEADER = 0x40
COMPRESSED_HEADER = 0x48


class Kind(IntEnum):
    """The types of attributes that this package knows; a record may have others."""

    STANDARD_INFORMATION = 0x10
    ATTRIBUTE_LIST = 0x20
    FILE_NAME = 0x30
    OBJECT_ID = 0x40
    SECURITY_DESCRIPTOR = 0x50
    VOLUME_NAME = 0x60
    VOLUME_INFORMATION = 0x70
    DATA = 0x80
    INDEX_ROOT = 0x90
    INDEX_ALLOCATION = 0xA0
    BITMAP = 0xB0
    REPARSE_POINT = 0xC0
    EA_INFORMATION = 0xD0
    EA = 0xE0
    LOGGED_UTILITY_STREAM = 0x100


class Storage(IntFlag):
    """An attribute's flags: how its value is stored."""

    COMPRESSED = 0x0001  # the low byte is the method; 1 is LZNT1
    ENCRYPTED = 0x4000
    SPARSE = 0x8000


FIRST = Vcn(0)


class Attribute:
    """One attribute of one record. A value with many runs has several, its extents (see `lowest_vcn`)."""

    kind = Number("<I", 0x00)
    length = Number("<I", 0x04)
    non_resident = Number("<B", 0x08)
    name_length = Number("<B", 0x09)  # UTF-16 units
    name_offset = Number("<H", 0x0A)
    flags = Number("<H", 0x0C)
    number = Number("<H", 0x0E)  # unique in its record
    # resident
    value_length = Number("<I", 0x10)
    value_offset = Number("<H", 0x14)
    indexed = Number("<B", 0x16)
    # not resident; sizes are in bytes and count only in the extent whose lowest_vcn is 0
    lowest_vcn = Number("<q", 0x10)
    highest_vcn = Number("<q", 0x18)
    pairs_offset = Number("<H", 0x20)
    compression_unit = Number("<H", 0x22)
    allocated_size = Number("<Q", 0x28)
    data_size = Number("<Q", 0x30)
    initialized_size = Number("<Q", 0x38)
    compressed_size = Number("<Q", 0x40)  # only where the flags say compressed or sparse

    __slots__ = ("position", "raw")

    def __init__(self, raw: bytearray, position: int) -> None:
        self.raw = raw
        self.position = position  # where it or its record was read, in bytes from the volume's start

    @classmethod
    def resident(cls, kind: int, name: str, value: bytes, indexed: bool = False) -> Attribute:
        """A new resident attribute."""
        text = name.encode("utf-16-le", "surrogatepass")
        attribute = cls(bytearray(align8(RESIDENT_HEADER + len(text))), 0)
        attribute._set_head(kind, text, RESIDENT_HEADER)
        attribute.value_offset = attribute.length
        attribute.indexed = indexed
        attribute.value = value
        return attribute

    @classmethod
    def stored(cls, kind: int, name: str, flags: int = 0, first_vcn: Vcn = FIRST) -> Attribute:
        """A new non-resident attribute, without clusters yet."""
        text = name.encode("utf-16-le", "surrogatepass")
        header = COMPRESSED_HEADER if flags & (Storage.COMPRESSED | Storage.SPARSE) else NON_RESIDENT_HEADER
        attribute = cls(bytearray(align8(header + len(text)) + 8), 0)
        attribute._set_head(kind, text, header)
        attribute.non_resident = 1
        attribute.flags = flags
        attribute.lowest_vcn = first_vcn
        attribute.highest_vcn = first_vcn - 1
        attribute.pairs_offset = align8(header + len(text))
        return attribute

    def _set_head(self, kind: int, text: bytes, header: int) -> None:
        self.kind = kind
        self.length = len(self.raw)
        self.name_length = len(text) // 2
        self.name_offset = header
        self.raw[header : header + len(text)] = text

    @property
    def name(self) -> str:
        if not self.name_length:
            return ""
        start = self.name_offset
        return self.raw[start : start + 2 * self.name_length].decode("utf-16-le", "surrogatepass")

    @property
    def value(self) -> bytes:
        """The value of a resident attribute."""
        return bytes(self.raw[self.value_offset : self.value_offset + self.value_length])

    @value.setter
    def value(self, value: bytes) -> None:
        start = self.value_offset
        self.raw[start:] = value.ljust(align8(len(value)), b"\0")
        self.value_length = len(value)
        self.length = len(self.raw)

    @property
    def size(self) -> int:
        """Bytes of the value; right only in the first of several extents."""
        return self.data_size if self.non_resident else self.value_length

    @property
    def first_vcn(self) -> Vcn:
        """The VCN at which this extent begins; 0 for a resident attribute."""
        return Vcn(self.lowest_vcn) if self.non_resident else FIRST

    @property
    def pairs_room(self) -> int:
        """Bytes of mapping pairs for which the attribute has room."""
        return self.length - self.pairs_offset

    def runs(self, cluster_count: int) -> list[Run]:
        """The runs of this extent. Raises FormatError for clusters outside a volume of `cluster_count` clusters."""
        at = self.position + self.pairs_offset
        runs = decode_pairs(bytes(self.raw[self.pairs_offset :]), self.first_vcn, cluster_count, at)
        end = runs[-1].next_vcn if runs else self.lowest_vcn
        if end != self.highest_vcn + 1:
            raise in_volume("run list", at, f"clusters up to {self.highest_vcn}", f"clusters up to {end - 1}")
        return runs

    def set_pairs(self, pairs: bytes, next_vcn: Vcn) -> None:
        """Replaces the mapping pairs of this extent; they end before `next_vcn`."""
        self.raw[self.pairs_offset :] = pairs.ljust(align8(len(pairs)), b"\0")
        self.highest_vcn = next_vcn - 1
        self.length = len(self.raw)


_HEAD = struct.Struct("<IIBBH")
_VALUE = struct.Struct("<IH")  # of a resident attribute, at 0x10: length, offset


def read_attribute(record: bytearray, offset: int, end: int, position: int) -> Attribute:
    """The attribute at `offset` of a record. Its attributes end at `end`; `position` is the record's, for errors."""
    if offset + RESIDENT_HEADER > end:
        raise in_volume("attribute", position + offset, f"an attribute before byte {end} of its record", offset)
    _, length, non_resident, name_length, name_offset = _HEAD.unpack_from(record, offset)
    least = NON_RESIDENT_HEADER if non_resident else RESIDENT_HEADER
    if length % 8 or length < least or offset + length > end:
        raise in_volume("attribute", position + offset + 4, f"a length of {least} to {end - offset} bytes", length)
    attribute = Attribute(record[offset : offset + length], position + offset)
    if name_length and name_offset + 2 * name_length > length:
        raise in_volume("attribute", position + offset + 10, f"a name within {length} bytes", name_offset)
    if non_resident:
        _check_stored(attribute)
        return attribute
    value_length, value_offset = _VALUE.unpack_from(record, offset + 0x10)
    if not RESIDENT_HEADER <= value_offset <= length - value_length:
        found = f"{value_length} bytes at {value_offset}"
        raise in_volume("attribute", position + offset + 0x10, f"a value within {length} bytes", found)
    return attribute


def _check_stored(attribute: Attribute) -> None:
    header = COMPRESSED_HEADER if attribute.flags & (Storage.COMPRESSED | Storage.SPARSE) else NON_RESIDENT_HEADER
    if attribute.length < header or not header <= attribute.pairs_offset < attribute.length:
        at = attribute.position + 0x20
        raise in_volume("attribute", at, f"mapping pairs within {attribute.length} bytes", attribute.pairs_offset)
    if not -1 <= attribute.lowest_vcn - 1 <= attribute.highest_vcn:
        at = attribute.position + 0x10
        raise in_volume(
            "attribute", at, "clusters from a first to a last", (attribute.lowest_vcn, attribute.highest_vcn)
        )
