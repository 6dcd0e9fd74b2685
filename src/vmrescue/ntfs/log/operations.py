"""$LogFile: the operations. Each is a function on the bytes of one file record, index block or range of clusters.

The same functions are used for redo and undo: a log record has an operation with data for each.
Source: linux-ntfs documentation of the records' structures; the Linux kernel's ntfs3 driver and ntfs-3g's
`ntfsrecover` for what each operation does. Where these two differ, logs that Windows wrote decided; a comment says so.
"""

from __future__ import annotations

from collections.abc import Callable

from vmrescue.ntfs.log import index_operations as index
from vmrescue.ntfs.log import record_operations as record
from vmrescue.ntfs.log.layout import BIT_RANGE, Operation
from vmrescue.ntfs.log.step import Step, overwrite


def _change_bits(step: Step, raw: bytearray, value: int) -> None:
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


def write_bytes(step: Step, raw: bytearray) -> None:
    """Replaces bytes of a non-resident value or of an index block."""
    overwrite(step, raw, step.record_offset + step.attribute_offset, len(raw))


Change = Callable[[Step, bytearray], None]

ON_FILE_RECORD: dict[int, Change] = {
    Operation.INITIALIZE_FILE_RECORD: record.initialize,
    Operation.DEALLOCATE_FILE_RECORD: record.deallocate,
    Operation.WRITE_END_OF_FILE_RECORD: record.write_end_of_record,
    Operation.ZERO_END_OF_FILE_RECORD: record.zero_end_of_record,
    Operation.CREATE_ATTRIBUTE: record.create_attribute,
    Operation.DELETE_ATTRIBUTE: record.delete_attribute,
    Operation.UPDATE_RESIDENT_VALUE: record.update_resident_value,
    Operation.UPDATE_MAPPING_PAIRS: record.update_mapping_pairs,
    Operation.SET_ATTRIBUTE_SIZES: record.set_attribute_sizes,
    Operation.ADD_ROOT_ENTRY: index.add_root_entry,
    Operation.DELETE_ROOT_ENTRY: index.delete_root_entry,
    Operation.SET_ROOT_ENTRY_VCN: lambda step, raw: index.set_vcn(step, raw, index.root(step, raw)[2]),
    Operation.UPDATE_ROOT_FILE_NAME: lambda step, raw: index.update_file_name(step, raw, index.root(step, raw)[2]),
    Operation.UPDATE_ROOT_DATA: lambda step, raw: index.update_data(step, raw, index.root(step, raw)[2]),
}

ON_INDEX_BLOCK: dict[int, Change] = {
    Operation.ADD_BLOCK_ENTRY: index.add_block_entry,
    Operation.DELETE_BLOCK_ENTRY: index.delete_block_entry,
    Operation.WRITE_END_OF_BLOCK: index.write_end_of_block,
    Operation.SET_BLOCK_ENTRY_VCN: lambda step, raw: index.set_vcn(step, raw, index.block(step, raw)[1]),
    Operation.UPDATE_BLOCK_FILE_NAME: lambda step, raw: index.update_file_name(step, raw, index.block(step, raw)[1]),
    Operation.UPDATE_BLOCK_DATA: lambda step, raw: index.update_data(step, raw, index.block(step, raw)[1]),
}

ON_BYTES: dict[int, Change] = {
    Operation.SET_BITS: lambda step, raw: _change_bits(step, raw, 1),
    Operation.CLEAR_BITS: lambda step, raw: _change_bits(step, raw, 0),
}

# Operations that change no page; some of them change the tables.
NOT_ON_PAGES = frozenset(
    {
        Operation.NOTHING,
        Operation.COMPENSATION,
        Operation.DELETE_DIRTY_CLUSTERS,
        Operation.HOT_FIX,
        Operation.END_TOP_LEVEL_ACTION,
        Operation.PREPARE_TRANSACTION,
        Operation.COMMIT_TRANSACTION,
        Operation.FORGET_TRANSACTION,
        Operation.OPEN_ATTRIBUTE,
        Operation.OPEN_ATTRIBUTES_DUMP,
        Operation.ATTRIBUTE_NAMES_DUMP,
        Operation.DIRTY_PAGES_DUMP,
        Operation.TRANSACTIONS_DUMP,
    }
)
