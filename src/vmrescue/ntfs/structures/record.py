"""File records: the rows of the file table ($MFT). Source: linux-ntfs documentation, "FILE Record"."""

from __future__ import annotations

import struct
from enum import IntEnum

from vmrescue.errors import RefusedError, bytes_text, in_volume
from vmrescue.ntfs.structures.attribute import Attribute, read_attribute
from vmrescue.ntfs.structures.fields import Number, align8
from vmrescue.ntfs.structures.fixup import begin, protect, unprotect

SIGNATURE = b"FILE"
ARRAY_OFFSET = 0x30  # offset of the update sequence array in records that we make
END = 0xFFFFFFFF
END_SIZE = 8
_END = struct.Struct("<II")

Reference = int  # a record's number in the lower 48 bits, its sequence number above
NUMBER_MASK = (1 << 48) - 1


class RecordFlag(IntEnum):
    """Bits of a record's flags. Others may be set and must be kept, which IntFlag's `~` would not do."""

    IN_USE = 0x0001
    DIRECTORY = 0x0002


class FileRecord:
    """One file record, fix-ups undone. `attributes` may be changed; `to_bytes` builds the record from them."""

    lsn = Number("<Q", 0x08)
    sequence = Number("<H", 0x10)
    links = Number("<H", 0x12)
    first_attribute = Number("<H", 0x14)
    flags = Number("<H", 0x16)
    used = Number("<I", 0x18)
    allocated = Number("<I", 0x1C)
    base = Number("<Q", 0x20)  # reference of the base record; 0 in a base record
    next_number = Number("<H", 0x28)  # the number that the next new attribute gets
    own_number = Number("<I", 0x2C)

    def __init__(self, raw: bytearray, number: int, position: int) -> None:
        self.raw = raw
        self.number = number
        self.position = position  # byte of the volume
        self.attributes: list[Attribute] = []
        self._read_end = self._read_attributes() if self.in_use else self.first_attribute
        self._loaded = bytes(raw)

    def _read_attributes(self) -> int:
        """Fills `attributes`. Returns the offset of their end mark."""
        offset, end = self.first_attribute, min(self.used, len(self.raw))
        if offset % 8 or not ARRAY_OFFSET - 6 <= offset <= len(self.raw) - END_SIZE:
            raise in_volume(self.title, self.position + 0x14, "the offset of the first attribute", offset)
        while True:
            if offset + 4 > end:
                raise in_volume(self.title, self.position + offset, "an attribute or the end mark", "neither")
            if self.raw[offset : offset + 4] == b"\xff\xff\xff\xff":
                return offset
            attribute = read_attribute(self.raw, offset, end, self.position)
            self.attributes.append(attribute)
            offset += len(attribute.raw)

    @property
    def title(self) -> str:
        return f"file record {self.number}"

    @property
    def in_use(self) -> bool:
        return bool(self.flags & RecordFlag.IN_USE)

    @property
    def is_directory(self) -> bool:
        return bool(self.flags & RecordFlag.DIRECTORY)

    @property
    def reference(self) -> Reference:
        return self.sequence << 48 | self.number

    @property
    def updates(self) -> int:
        """The update sequence number, which every write raises."""
        (number,) = struct.unpack_from("<H", self.raw, struct.unpack_from("<H", self.raw, 4)[0])
        return int(number)

    @property
    def _end(self) -> int:
        """The offset of the end mark."""
        return self.first_attribute + sum(attribute.length for attribute in self.attributes)

    @property
    def room(self) -> int:
        """Bytes left for attributes; negative if they do not fit."""
        return len(self.raw) - END_SIZE - self._end

    @property
    def changed(self) -> bool:
        return self.to_bytes() != self._loaded

    def add(self, attribute: Attribute) -> None:
        """Inserts an attribute, sorted by type and then by name, and numbers it."""
        attribute.number = self._new_number()
        key = (attribute.kind, attribute.name.upper())
        index = len(self.attributes)
        while index and (self.attributes[index - 1].kind, self.attributes[index - 1].name.upper()) > key:
            index -= 1
        self.attributes.insert(index, attribute)

    def _new_number(self) -> int:
        number = self.next_number
        if number < 0xFFFF:
            self.next_number = number + 1
            return number
        taken = {attribute.number for attribute in self.attributes}
        return next(free for free in range(0xFFFF) if free not in taken)

    def remove(self, attribute: Attribute) -> None:
        self.attributes = [other for other in self.attributes if other is not attribute]

    def to_bytes(self) -> bytes:
        """The record without fix-ups. Raises RefusedError if its attributes do not fit."""
        if not self.in_use:
            return bytes(self.raw)
        if self.room < 0:
            raise RefusedError(f"{self.title} has no room for its attributes")
        start, end = self.first_attribute, self._end
        self.raw[start:end] = b"".join(attribute.raw for attribute in self.attributes)
        if end != self._read_end:
            _END.pack_into(self.raw, end, END, 0)
            self.used = end + END_SIZE
            self._read_end = end
        return bytes(self.raw)

    def protected(self) -> bytes:
        """The record as it is written to disk, with its update sequence number raised."""
        self.to_bytes()
        return protect(self.raw)


def read_record(data: bytes, number: int, position: int) -> FileRecord:
    """The record in `data`. Raises FormatError if it is torn or malformed."""
    title = f"file record {number}"
    if data[:4] != SIGNATURE:
        raise in_volume(title, position, f"the signature {bytes_text(SIGNATURE)}", data[:4])
    return FileRecord(unprotect(data, title, position), number, position)


def new_record(size: int, number: int, position: int, sequence: int = 1, updates: int = 0) -> FileRecord:
    """An empty record that is not in use. `updates`: the last update sequence number of the record in this place."""
    raw = bytearray(size)
    array_end = begin(raw, SIGNATURE, ARRAY_OFFSET)
    struct.pack_into("<H", raw, ARRAY_OFFSET, updates)
    record = FileRecord(raw, number, position)
    record.sequence = sequence
    record.first_attribute = align8(array_end)
    record.own_number = number & 0xFFFFFFFF
    record.allocated = size
    _END.pack_into(raw, record.first_attribute, END, 0)
    record.used = record.first_attribute + END_SIZE
    record._read_end = record.first_attribute
    return record
