"""What the readers of NTFS volumes know of its structures.

Source: linux-ntfs documentation, "Fixup", "Attribute Header", "$INDEX_ROOT", "$INDEX_ALLOCATION", "Index Entry".
"""

from __future__ import annotations

import struct

ATTRIBUTE = struct.Struct("<IIBBHH")  # type, length, non-resident, name's length, name's offset, flags
VALUE = struct.Struct("<16xIH")  # resident: value's size, offset
CLUSTERS = struct.Struct("<16xQ8xH6x8xQQ")  # non-resident: first VCN, run list's offset, size, initialized size
INDEX_ROOT = struct.Struct("<8xI4xII8x")  # bytes of a block; first entry and end of entries, both from byte 16
ENTRY = struct.Struct("<QHHI")  # of an index: file reference, length, key's length, flags
BLOCK_SIGNATURE, RECORD_SIGNATURE = b"INDX", b"FILE"
OEM_NAME = b"NTFS    "  # in the boot sector
STRIDE = 512  # bytes: the last two of each are replaced by the update sequence number


def fixed_up(data: bytes, place: int, count: int) -> bytes | None:
    """A record, block or page with the ends of its sectors put back; None where it is torn, or has no such array.

    `place`, `count`: of the update sequence array, as the structure's header says.
    """
    if place & 1 or place + 2 * count > STRIDE - 2 or (count - 1) * STRIDE != len(data):
        return None
    raw, mark = bytearray(data), data[place : place + 2]
    for number in range(1, count):
        end = number * STRIDE
        if raw[end - 2 : end] != mark:
            return None
        raw[end - 2 : end] = data[place + 2 * number : place + 2 * number + 2]
    return bytes(raw)
