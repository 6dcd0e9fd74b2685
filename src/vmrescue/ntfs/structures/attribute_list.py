"""Attribute lists: which record has which attribute, for a file with more than one record.

Source: linux-ntfs documentation, "$ATTRIBUTE_LIST".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from vmrescue.errors import in_volume
from vmrescue.ntfs.structures.fields import align8
from vmrescue.ntfs.structures.record import NUMBER_MASK, Reference

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmrescue.ntfs.structures.positions import Vcn

MAX_SIZE = 256 * 1024  # bytes; the limit in Windows
_ENTRY = struct.Struct("<IHBBQQH")  # kind, length, name length and offset, lowest VCN, reference, attribute number


class ListEntry(NamedTuple):
    """One line of an attribute list."""

    kind: int
    name: str
    lowest_vcn: Vcn
    reference: Reference
    number: int

    @property
    def record(self) -> int:
        return self.reference & NUMBER_MASK


def read_list(data: bytes, position: int) -> list[ListEntry]:
    """The lines of an attribute list; `position`: where its attribute begins, in bytes from the volume's start."""
    entries = []
    at = 0
    while at + _ENTRY.size <= len(data):
        kind, length, name_length, name_offset, lowest_vcn, reference, number = _ENTRY.unpack_from(data, at)
        if not kind:
            break
        if length < _ENTRY.size or length % 8 or at + length > len(data) or name_offset + 2 * name_length > length:
            raise in_volume(
                "attribute list", position, f"a length and a name that fit in the entry at its byte {at}", length
            )
        name = data[at + name_offset : at + name_offset + 2 * name_length].decode("utf-16-le", "surrogatepass")
        entries.append(ListEntry(kind, name, lowest_vcn, reference, number))
        at += length
    return entries


def write_list(entries: Iterable[ListEntry]) -> bytes:
    return b"".join(map(_encode, entries))


def _encode(entry: ListEntry) -> bytes:
    name = entry.name.encode("utf-16-le", "surrogatepass")
    length = align8(_ENTRY.size + len(name))
    numbers = (len(name) // 2, _ENTRY.size, entry.lowest_vcn, entry.reference, entry.number)
    return (_ENTRY.pack(entry.kind, length, *numbers) + name).ljust(length, b"\0")
