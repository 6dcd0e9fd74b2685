"""Fix-ups: they show whether a record of several disk blocks was written whole.

The last two bytes of every 512-byte block are replaced by the update sequence number; the original bytes are in an
array in the record's header, after the number. Each write raises the number, so that a torn write is recognised.
Source: linux-ntfs documentation, "Fixup". The block is 512 bytes whatever the sector size.
"""

from __future__ import annotations

import struct

from vmrescue.errors import FormatError

STRIDE = 512
_HEAD = struct.Struct("<4sHH")  # signature; offset of the update sequence number; how many numbers, with it


def begin(record: bytearray, signature: bytes, array_offset: int) -> int:
    """Writes the header of a new record. Returns the offset after its update sequence array."""
    count = len(record) // STRIDE + 1
    _HEAD.pack_into(record, 0, signature, array_offset, count)
    return array_offset + 2 * count


def head_of(signature: bytes, array_offset: int, size: int) -> bytes:
    """How a record of `size` bytes begins whose update sequence array is at `array_offset`."""
    return _HEAD.pack(signature, array_offset, size // STRIDE + 1)


def unprotect(data: bytes, structure: str, position: int, whole: str = "the volume") -> bytearray:
    """The record with fix-ups undone. Raises FormatError if it is torn or its array is not valid.

    Args:
        structure, position, whole: for errors: its name, where it begins, and what that is counted in.
    """
    record = bytearray(data)
    offset, count = _array(record, structure, position, whole)
    number = record[offset : offset + 2]
    for block in range(1, count):
        end = block * STRIDE - 2
        if record[end : end + 2] != number:
            found = record[end : end + 2].hex()
            expected = f"the update sequence number {number.hex()}"
            raise FormatError(structure, position + end, expected, found, whole=whole)
        record[end : end + 2] = record[offset + 2 * block : offset + 2 * block + 2]
    return record


def unprotect_all(data: bytes, size: int, array_offset: int) -> tuple[bytes, set[int]]:
    """Many records with their fix-ups undone, all at once; and the indexes of those that are torn.

    Args:
        data: whole records.
        size: bytes of a record.
        array_offset: where the update sequence array is in each. Of one that has it elsewhere nothing is true that
            this returns: its header has to be looked at too.
    """
    whole = bytearray(data)
    torn: set[int] = set()
    for block in range(1, size // STRIDE + 1):
        for byte in (0, 1):  # of each number, in all records
            end = block * STRIDE - 2 + byte
            expected, found = data[array_offset + byte :: size], data[end::size]
            if expected != found:
                torn.update(index for index, pair in enumerate(zip(expected, found, strict=True)) if pair[0] != pair[1])
            whole[end::size] = data[array_offset + 2 * block + byte :: size]
    return bytes(whole), torn


def protect(record: bytearray) -> bytes:
    """The record as it is written to disk: its update sequence number is raised (in `record` too)."""
    offset, count = _array(record, "record", None, "")
    (number,) = struct.unpack_from("<H", record, offset)
    number = number + 1 if number < 0xFFFE else 1  # 0 and 0xffff could be bytes of a disk that was never written
    struct.pack_into("<H", record, offset, number)
    data = bytearray(record)
    for block in range(1, count):
        end = block * STRIDE - 2
        data[offset + 2 * block : offset + 2 * block + 2] = record[end : end + 2]
        struct.pack_into("<H", data, end, number)
    return bytes(data)


def _array(record: bytearray, structure: str, position: int | None, whole: str) -> tuple[int, int]:
    _, offset, count = _HEAD.unpack_from(record)
    if count != len(record) // STRIDE + 1:
        expected = f"{len(record) // STRIDE + 1} update sequence numbers"
        raise FormatError(structure, _at(position, 6), expected, count, whole=whole)
    if offset < _HEAD.size or offset % 2 or offset + 2 * count > STRIDE - 2:
        expected = "an update sequence array in the first block"
        raise FormatError(structure, _at(position, 4), expected, offset, whole=whole)
    return offset, count


def _at(position: int | None, offset: int) -> int | None:
    return None if position is None else position + offset
