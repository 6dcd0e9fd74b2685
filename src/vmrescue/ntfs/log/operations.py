"""$LogFile: the operations. Each is a function on the bytes of one file record, index block or range of clusters.

The same functions are used for redo and undo: a log record has an operation with data for each.
Source: linux-ntfs documentation of the records' structures; the Linux kernel's ntfs3 driver and ntfs-3g's
`ntfsrecover` for what each operation does. Where these two differ, logs that Windows wrote decided; a comment says so.
"""

from __future__ import annotations

from collections.abc import Callable

from vmrescue.ntfs.log import index_operations as index
from vmrescue.ntfs.log import record_operations as record
from vmrescue.ntfs.log.layout import BIT_RANGE, LogOperation
from vmrescue.ntfs.log.step import LogStep, overwrite


def _change_bits(step: LogStep, raw: bytearray, value: int) -> None:
    step.expect(len(step.data) == BIT_RANGE.size, 0, "a range of bits", len(step.data))
    first, count = BIT_RANGE.unpack(step.data)
    start = step.record_offset + step.attribute_offset
    step.expect(start + (first + count + 7) // 8 <= len(raw), start, f"bits within {len(raw)} bytes", first + count)
    if not count:
        return
    first, last = 8 * start + first, 8 * start + first + count - 1
    mask = (2 << last - first) - 1 << first % 8
    span = slice(first // 8, last // 8 + 1)
    bits = int.from_bytes(raw[span], "little")
    bits = bits | mask if value else bits & ~mask
    raw[span] = bits.to_bytes(span.stop - span.start, "little")


def write_bytes(step: LogStep, raw: bytearray) -> None:
    """Replaces bytes of a non-resident value or of an index block."""
    overwrite(step, raw, step.record_offset + step.attribute_offset, len(raw))


PageChange = Callable[[LogStep, bytearray], None]

ON_FILE_RECORD: dict[int, PageChange] = {
    LogOperation.INITIALIZE_FILE_RECORD: record.initialize,
    LogOperation.DEALLOCATE_FILE_RECORD: record.deallocate,
    LogOperation.WRITE_END_OF_FILE_RECORD: record.write_end_of_record,
    LogOperation.ZERO_END_OF_FILE_RECORD: record.zero_end_of_record,
    LogOperation.CREATE_ATTRIBUTE: record.create_attribute,
    LogOperation.DELETE_ATTRIBUTE: record.delete_attribute,
    LogOperation.UPDATE_RESIDENT_VALUE: record.update_resident_value,
    LogOperation.UPDATE_MAPPING_PAIRS: record.update_mapping_pairs,
    LogOperation.SET_ATTRIBUTE_SIZES: record.set_attribute_sizes,
    LogOperation.ADD_ROOT_ENTRY: index.add_root_entry,
    LogOperation.DELETE_ROOT_ENTRY: index.delete_root_entry,
    LogOperation.SET_ROOT_ENTRY_VCN: lambda step, raw: index.set_vcn(step, raw, index.root(step, raw)[2]),
    LogOperation.UPDATE_ROOT_FILE_NAME: lambda step, raw: index.update_file_name(step, raw, index.root(step, raw)[2]),
    LogOperation.UPDATE_ROOT_DATA: lambda step, raw: index.update_data(step, raw, index.root(step, raw)[2]),
}

ON_INDEX_BLOCK: dict[int, PageChange] = {
    LogOperation.ADD_BLOCK_ENTRY: index.add_block_entry,
    LogOperation.DELETE_BLOCK_ENTRY: index.delete_block_entry,
    LogOperation.WRITE_END_OF_BLOCK: index.write_end_of_block,
    LogOperation.SET_BLOCK_ENTRY_VCN: lambda step, raw: index.set_vcn(step, raw, index.block(step, raw)[1]),
    LogOperation.UPDATE_BLOCK_FILE_NAME: lambda step, raw: index.update_file_name(step, raw, index.block(step, raw)[1]),
    LogOperation.UPDATE_BLOCK_DATA: lambda step, raw: index.update_data(step, raw, index.block(step, raw)[1]),
}

ON_BYTES: dict[int, PageChange] = {
    LogOperation.SET_BITS: lambda step, raw: _change_bits(step, raw, 1),
    LogOperation.CLEAR_BITS: lambda step, raw: _change_bits(step, raw, 0),
}

# Operations that change no page; some of them change the tables.
NOT_ON_PAGES = frozenset(
    {
        LogOperation.NOTHING,
        LogOperation.COMPENSATION,
        LogOperation.DELETE_DIRTY_CLUSTERS,
        LogOperation.HOT_FIX,
        LogOperation.END_TOP_LEVEL_ACTION,
        LogOperation.PREPARE_TRANSACTION,
        LogOperation.COMMIT_TRANSACTION,
        LogOperation.FORGET_TRANSACTION,
        LogOperation.OPEN_ATTRIBUTE,
        LogOperation.OPEN_ATTRIBUTES_DUMP,
        LogOperation.ATTRIBUTE_NAMES_DUMP,
        LogOperation.DIRTY_PAGES_DUMP,
        LogOperation.TRANSACTIONS_DUMP,
    }
)
