"""What the readers of NTFS volumes know of its structures.

Source: linux-ntfs documentation, "Attribute Header", "$INDEX_ROOT", "$INDEX_ALLOCATION", "Index Entry".
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
