"""The start of a FAT volume's boot sector (BIOS parameter block), the same in FAT12, FAT16 and FAT32.

Source: Microsoft, "FAT: General Overview of On-Disk Format" (fatgen103), 1.03.
"""

from __future__ import annotations

from construct import Bytes, Int8ul, Int16ul, Int32ul, Struct

# A volume with at least so many clusters is FAT16, one with fewer FAT12.
FEWEST_OF_FAT16 = 4085  # Microsoft's specification, Linux, mtools
FEWEST_OF_FAT16_FOR_WINDOWS = 4087  # the rule in Windows' driver

COMMON = Struct(
    "jump" / Bytes(3),
    "oem_name" / Bytes(8),
    "sector_size" / Int16ul,
    "sectors_per_cluster" / Int8ul,
    "reserved_sectors" / Int16ul,
    "table_count" / Int8ul,
    "root_entries" / Int16ul,  # 0 on FAT32
    "sectors_16" / Int16ul,  # 0 if the number does not fit; then `sectors_32` has it
    "media" / Int8ul,
    "table_sectors_16" / Int16ul,  # 0 on FAT32, and only there
    "sectors_per_track" / Int16ul,
    "heads" / Int16ul,
    "hidden_sectors" / Int32ul,
    "sectors_32" / Int32ul,
)
