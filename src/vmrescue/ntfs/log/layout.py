"""$LogFile: the layouts of its pages, of its records and of their data.

There are two layers. The log file service numbers and stores records of any client: restart pages, record pages, record
headers. NTFS is its only client: operations, tables, restart data. All numbers are little-endian.
Sources: linux-ntfs documentation, "$LogFile"; libfsntfs's format documentation; for version 2.0 and the two forms of
the tables, ntfs-3g's `ntfsrecover -v` and the Linux kernel's ntfs3 driver. All were compared with logs that Windows
wrote.
"""

from __future__ import annotations

import struct
from enum import IntEnum, IntFlag

from construct import Bytes, Int16ul, Int32ul, Int64ul, Padding
from construct import Struct as Layout

RESTART_SIGNATURE = b"RSTR"
CHECKED_SIGNATURE = b"CHKD"  # of a restart page that chkdsk wrote
RECORD_SIGNATURE = b"RCRD"
SECTOR = 512  # bytes between two fix-ups

# A log sequence number (LSN): the lower bits are the record's offset in the file, in units of 8 bytes; the upper bits
# count how often the file had been filled. LSNs only grow.
LSN_UNIT = 8

RESTART_PAGE = Layout(
    "signature" / Bytes(4),
    "array_offset" / Int16ul,
    "array_count" / Int16ul,
    "checked_lsn" / Int64ul,  # set by chkdsk
    "system_page_size" / Int32ul,  # bytes; of a restart page
    "page_size" / Int32ul,  # bytes; of a page of records
    "area_offset" / Int16ul,
    "minor" / Int16ul,
    "major" / Int16ul,
)

RESTART_AREA = Layout(
    "current_lsn" / Int64ul,  # the last LSN when the page was written
    "clients" / Int16ul,
    "free_client" / Int16ul,  # first of the list; NO_CLIENT where it is empty
    "used_client" / Int16ul,
    "flags" / Int16ul,
    "sequence_bits" / Int32ul,  # of an LSN; 67 less the bits of the file's size
    "length" / Int16ul,  # bytes, with the clients
    "clients_offset" / Int16ul,  # from the start of the area
    "file_size" / Int64ul,  # bytes in use of the file
    "last_data_length" / Int32ul,
    "record_header_size" / Int16ul,
    "data_offset" / Int16ul,  # of the first record in a page
    "open_count" / Int32ul,
    Padding(4),
)

CLIENT_RECORD = Layout(
    "oldest_lsn" / Int64ul,  # records before it are not needed
    "restart_lsn" / Int64ul,  # of the last restart record
    "previous" / Int16ul,
    "next" / Int16ul,
    "sequence" / Int16ul,
    Padding(6),
    "name_size" / Int32ul,  # bytes
    "name" / Bytes(128),
)

NO_CLIENT = 0xFFFF
CLIENT_NAME = "NTFS".encode("utf-16-le")
CLEANLY_CLOSED = 0x0002  # a flag of the restart area

# signature, fix-ups' offset and count, last LSN (in a 1.1 tail copy: offset of the page it is a copy of), flags, number
# of pages written at once, this page's number among them (from 1), end of the last record that ends here, its LSN
PAGE_HEADER = struct.Struct("<4sHHQIHHH6xQ")
PAGE_HAS_END = 0x0001  # a flag: some record ends in the page
TAIL_PLACE = struct.Struct("<I")  # in a 2.0 tail copy: offset in bytes of the page that it is a copy of
TAIL_PLACE_OFFSET = 0x3C

# LSN, client's previous LSN, LSN to undo next, data's length, client's sequence and index, type, transaction, flags
RECORD_HEADER = struct.Struct("<QQQIHHIIH6x")
UPDATE, RESTART = 1, 2  # types of records

# redo and undo operation, redo offset and length, undo offset and length, attribute, clusters that follow, offset in
# the page of the record and in the record of the attribute, 512-byte block in the cluster, flags, first VCN
UPDATE_HEADER = struct.Struct("<HHHHHHHHHHHHQ")
LCN_SIZE = 8

# major and minor version, start of the checkpoint, LSNs and lengths of the tables of open attributes, of their names,
# of dirty pages and of transactions
RESTART_DATA = struct.Struct("<IIQQQQQIIII")

TABLE_HEADER = struct.Struct("<HHH6xIII")  # size of an entry, entries, entries in use, free list
ENTRY_IN_USE = 0xFFFFFFFF

# In use, bytes in an index block, attribute's type, file reference, LSN; and the older form's order.
OPEN_ATTRIBUTE = struct.Struct("<III4xQQ8x")
OPEN_ATTRIBUTE_OLD = struct.Struct("<I4xQQ4xI8xI")
# In use, attribute, bytes, clusters, first VCN, oldest LSN; then the clusters' LCNs
DIRTY_PAGE = struct.Struct("<IIIIQQ")
DIRTY_PAGE_OLD = struct.Struct("<IIII4xQQ")
# In use, state, first LSN, previous LSN, LSN to undo next
TRANSACTION = struct.Struct("<IB3xQQQ8x")

BIT_RANGE = struct.Struct("<II")  # first bit, bits
CLUSTER_RANGE = struct.Struct("<QQ")  # first cluster, clusters


class State(IntEnum):
    """The state of a transaction."""

    ACTIVE = 1
    PREPARED = 2
    COMMITTED = 3


class LogOperation(IntEnum):
    """What a record changes, or how the change is undone."""

    NOTHING = 0x00
    COMPENSATION = 0x01
    INITIALIZE_FILE_RECORD = 0x02
    DEALLOCATE_FILE_RECORD = 0x03
    WRITE_END_OF_FILE_RECORD = 0x04
    CREATE_ATTRIBUTE = 0x05
    DELETE_ATTRIBUTE = 0x06
    UPDATE_RESIDENT_VALUE = 0x07
    UPDATE_NON_RESIDENT_VALUE = 0x08
    UPDATE_MAPPING_PAIRS = 0x09
    DELETE_DIRTY_CLUSTERS = 0x0A
    SET_ATTRIBUTE_SIZES = 0x0B
    ADD_ROOT_ENTRY = 0x0C
    DELETE_ROOT_ENTRY = 0x0D
    ADD_BLOCK_ENTRY = 0x0E
    DELETE_BLOCK_ENTRY = 0x0F
    WRITE_END_OF_BLOCK = 0x10
    SET_ROOT_ENTRY_VCN = 0x11
    SET_BLOCK_ENTRY_VCN = 0x12
    UPDATE_ROOT_FILE_NAME = 0x13
    UPDATE_BLOCK_FILE_NAME = 0x14
    SET_BITS = 0x15
    CLEAR_BITS = 0x16
    HOT_FIX = 0x17
    END_TOP_LEVEL_ACTION = 0x18
    PREPARE_TRANSACTION = 0x19
    COMMIT_TRANSACTION = 0x1A
    FORGET_TRANSACTION = 0x1B
    OPEN_ATTRIBUTE = 0x1C
    OPEN_ATTRIBUTES_DUMP = 0x1D
    ATTRIBUTE_NAMES_DUMP = 0x1E
    DIRTY_PAGES_DUMP = 0x1F
    TRANSACTIONS_DUMP = 0x20
    UPDATE_ROOT_DATA = 0x21
    UPDATE_BLOCK_DATA = 0x22
    ZERO_END_OF_FILE_RECORD = 0x25


class TargetFlag(IntFlag):
    """What the page of an update holds; written since Windows Vista."""

    FILE_RECORD = 0x0002
    INDEX_BLOCK = 0x0008
