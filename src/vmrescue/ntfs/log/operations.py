"""$LogFile: the operations, each a function on the bytes of one file record, index block or range of clusters.

The same functions serve redo and undo: a record names an operation with data for either. Offsets are checked against
what is there before anything moves; bytes behind the end of what is in use are set to zero when it shrinks.
Source: linux-ntfs documentation of the records' structures; the Linux kernel's ntfs3 driver and ntfs-3g's
`ntfsrecover` for what each operation does. Where these two differ, the logs of volumes that Windows wrote decided, and
a comment says so.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from vmrescue.errors import FormatError
from vmrescue.ntfs.index import BLOCK_HEADER, ENTRY_HEADER, HAS_NODE, ROOT_HEADER
from vmrescue.ntfs.log.layout import BIT_RANGE, Operation
from vmrescue.ntfs.structures.attribute import NON_RESIDENT_HEADER, RESIDENT_HEADER, Kind
from vmrescue.ntfs.structures.fields import Number, align8
from vmrescue.ntfs.structures.record import END, RecordFlag
from vmrescue.ntfs.structures.run_list import decode_pairs

INDEXED = 1  # a flag of a resident attribute; of $FILE_NAME only
DUPLICATED = 0x18  # in an entry of a directory, what is kept of the file: times, sizes, flags
DUPLICATED_SIZE = 0x38
ANY_CLUSTER = 1 << 62  # run lists are only measured here; whoever follows one checks it


@dataclass(frozen=True)
class Step:
    """An operation with its data and where it applies; all offsets in bytes."""

    operation: int
    data: bytes
    record_offset: int
    attribute_offset: int
    same_length: bool  # the data replace as many bytes as they are
    structure: str  # what is changed, for errors
    position: int  # its byte of the volume

    def expect(self, sound: bool, offset: int, expected: str, found: object) -> None:
        """Raises FormatError about a byte of the structure unless it is `sound`."""
        if not sound:
            raise FormatError(self.structure, self.position + offset, expected, found)


class _Part:
    """Fields at an offset of the bytes of a record or block, which they change."""

    def __init__(self, raw: bytearray) -> None:
        self.raw = raw


class _Record(_Part):
    sequence = Number("<H", 0x10)
    links = Number("<H", 0x12)
    first_attribute = Number("<H", 0x14)
    flags = Number("<H", 0x16)
    used = Number("<I", 0x18)
    next_number = Number("<H", 0x28)


def _u16(raw: bytearray | bytes, offset: int) -> int:
    return int.from_bytes(raw[offset : offset + 2], "little")


def _u32(raw: bytearray | bytes, offset: int) -> int:
    return int.from_bytes(raw[offset : offset + 4], "little")


def _add_u32(step: Step, raw: bytearray, offset: int, change: int) -> None:
    value = _u32(raw, offset) + change
    step.expect(0 <= value < 1 << 32, offset, f"a number that can be changed by {change}", value - change)
    struct.pack_into("<I", raw, offset, value)


def _overwrite(step: Step, raw: bytearray, offset: int, end: int, data: bytes | None = None) -> None:
    """Puts data, the step's own unless others are given, over what is at `offset`, inside of `end`."""
    data = step.data if data is None else data
    step.expect(offset + len(data) <= end, offset, f"room for {len(data)} bytes before byte {end}", end - offset)
    raw[offset : offset + len(data)] = data


def _move(step: Step, raw: bytearray, start: int, change: int, end: int, limit: int) -> None:
    """Moves bytes [start, end) by `change`; what is in use now ends at `end` and may reach `limit`."""
    step.expect(start <= end and end + change <= limit, start, f"room for {change} bytes before {limit}", limit - end)
    raw[start + change : end + change] = raw[start:end]
    if change < 0:
        raw[end + change : end] = bytes(-change)


# --- file records -----------------------------------------------------------------------------------------------------


def _attribute_starts(step: Step, raw: bytearray) -> None:
    """Makes sure that an attribute, or the end mark, is where the step has it."""
    record = _Record(raw)
    offset = record.first_attribute
    used = record.used
    step.expect(used <= len(raw), 0x18, f"at most {len(raw)} bytes in use", used)
    while offset < step.record_offset and offset + 8 <= used and _u32(raw, offset) != END:
        length = _u32(raw, offset + 4)
        step.expect(length >= RESIDENT_HEADER and length % 8 == 0, offset + 4, "the length of an attribute", length)
        offset += length
    found = f"none there; the next one is at {offset}"
    step.expect(offset == step.record_offset and offset + 4 <= used, step.record_offset, "an attribute", found)


def _attribute(step: Step, raw: bytearray) -> tuple[int, int]:
    """The start of the attribute that the step applies to, and its length."""
    _attribute_starts(step, raw)
    start = step.record_offset
    length = _u32(raw, start + 4)
    whole = _u32(raw, start) != END and RESIDENT_HEADER <= length <= _Record(raw).used - start
    step.expect(whole, start, "an attribute inside the record", length)
    return start, length


def _is_indexed(attribute: bytes | bytearray) -> bool:
    return len(attribute) >= RESIDENT_HEADER and not attribute[8] and bool(attribute[0x16] & INDEXED)


def _resize(step: Step, raw: bytearray, start: int, length: int, new_length: int) -> None:
    """Gives an attribute another length; what follows it moves."""
    record = _Record(raw)
    _move(step, raw, start + length, new_length - length, record.used, len(raw))
    record.used += new_length - length
    struct.pack_into("<I", raw, start + 4, new_length)


def _initialize(step: Step, raw: bytearray) -> None:
    _overwrite(step, raw, step.record_offset + step.attribute_offset, len(raw))


def _deallocate(step: Step, raw: bytearray) -> None:
    """The record is free from now on. `ntfsrecover` does not raise its number; Windows does, as its volumes show."""
    record = _Record(raw)
    record.flags &= ~RecordFlag.IN_USE
    record.sequence = record.sequence + 1 if record.sequence < 0xFFFF else 1


def _write_end_of_record(step: Step, raw: bytearray) -> None:
    _attribute_starts(step, raw)
    record = _Record(raw)
    start = step.record_offset + step.attribute_offset
    used = record.used
    _overwrite(step, raw, start, len(raw))
    record.used = align8(start + len(step.data))
    raw[record.used : max(used, record.used)] = bytes(max(0, used - record.used))


def _zero_end_of_record(step: Step, raw: bytearray) -> None:
    start = step.record_offset + step.attribute_offset
    step.expect(start >= _Record(raw).used, start, "bytes that are not in use", f"{_Record(raw).used} are")
    _overwrite(step, raw, start, len(raw), bytes(len(step.data)))


def _create_attribute(step: Step, raw: bytearray) -> None:
    _attribute_starts(step, raw)
    record = _Record(raw)
    size = len(step.data)
    stated = _u32(step.data, 4)
    step.expect(
        size >= RESIDENT_HEADER and size % 8 == 0 and stated == size, 0, f"an attribute of {size} bytes", stated
    )
    _move(step, raw, step.record_offset, size, record.used, len(raw))
    raw[step.record_offset : step.record_offset + size] = step.data
    record.used += size
    record.next_number = max(record.next_number, min(_u16(step.data, 0x0E) + 1, 0xFFFF))
    if _is_indexed(step.data):
        step.expect(record.links < 0xFFFF, 0x12, "room for another link", record.links)
        record.links += 1


def _delete_attribute(step: Step, raw: bytearray) -> None:
    start, length = _attribute(step, raw)
    record = _Record(raw)
    if _is_indexed(raw[start : start + length]):
        step.expect(record.links > 0, 0x12, "a name that counts as a link", record.links)
        record.links -= 1
    _move(step, raw, start + length, -length, record.used, len(raw))
    record.used -= length


def _update_resident_value(step: Step, raw: bytearray) -> None:
    """Replaces bytes of a value; where their number changes, they reach to its end."""
    start, length = _attribute(step, raw)
    if step.same_length:
        _overwrite(step, raw, start + step.attribute_offset, start + length)
        return
    value = _u16(raw, start + 0x14)
    end = step.attribute_offset + len(step.data)
    inside = not raw[start + 8] and RESIDENT_HEADER <= value <= step.attribute_offset <= length
    step.expect(inside, start + step.attribute_offset, "a byte of a resident value", value)
    _resize(step, raw, start, length, align8(end))
    raw[start + step.attribute_offset : start + align8(end)] = step.data.ljust(
        align8(end) - step.attribute_offset, b"\0"
    )
    struct.pack_into("<I", raw, start + 0x10, end - value)


def _stored_attribute(step: Step, raw: bytearray) -> tuple[int, int]:
    start, length = _attribute(step, raw)
    step.expect(bool(raw[start + 8]) and length >= NON_RESIDENT_HEADER, start + 8, "an attribute in clusters", length)
    return start, length


def _update_mapping_pairs(step: Step, raw: bytearray) -> None:
    """Replaces the end of a run list, and says anew which is its last cluster."""
    start, length = _stored_attribute(step, raw)
    pairs = _u16(raw, start + 0x20)
    inside = NON_RESIDENT_HEADER <= pairs <= step.attribute_offset <= length
    step.expect(inside, start + step.attribute_offset, "a byte of the run list", pairs)
    new_length = align8(step.attribute_offset + len(step.data))
    _resize(step, raw, start, length, new_length)
    rest = step.data.ljust(new_length - step.attribute_offset, b"\0")
    raw[start + step.attribute_offset : start + new_length] = rest
    (first,) = struct.unpack_from("<q", raw, start + 0x10)
    at = step.position + start + pairs
    runs = decode_pairs(bytes(raw[start + pairs : start + new_length]), first, ANY_CLUSTER, at)
    last = runs[-1].next_vcn - 1 if runs else first - 1
    step.expect(-1 <= last < ANY_CLUSTER, start + pairs, "a run list of a sane length", last)
    struct.pack_into("<q", raw, start + 0x18, last)


def _set_attribute_sizes(step: Step, raw: bytearray) -> None:
    """Sets allocated, initialized and real size, in this order, and perhaps the compressed size.

    In the attribute the real size comes before the initialized one; `ntfsrecover` copies them as they are. In the logs
    that Windows writes the second number is never above the third, so it is the initialized size.
    """
    start, length = _stored_attribute(step, raw)
    step.expect(len(step.data) in (24, 32), start, "three or four sizes", len(step.data))
    allocated, initialized, real = struct.unpack_from("<QQQ", step.data)
    head = _u16(raw, start + 0x20)
    step.expect(start + 0x28 + len(step.data) <= start + length, start, "room for the sizes", length)
    struct.pack_into("<QQQ", raw, start + 0x28, allocated, real, initialized)
    if len(step.data) == 32 and head >= NON_RESIDENT_HEADER + 8:
        raw[start + 0x40 : start + 0x48] = step.data[24:]


# --- nodes of indexes, in a record and in a block ---------------------------------------------------------------------


def _entry(step: Step, raw: bytearray, node: int, start: int, limit: int) -> int:
    """Where the step's entry is in the node at `node`; all entries lie before `limit`."""
    at, end = node + _u32(raw, node), node + _u32(raw, node + 4)
    step.expect(node + 0x10 <= at <= end <= limit, node, f"a node that ends before byte {limit}", end)
    place = start + step.attribute_offset
    while at < place and at + ENTRY_HEADER <= end:
        length = _u16(raw, at + 8)
        step.expect(length >= ENTRY_HEADER and length % 8 == 0, at + 8, "the length of an index entry", length)
        at += length
    step.expect(at == place and at + ENTRY_HEADER <= end, place, "an index entry", f"none; the next one is at {at}")
    length = _u16(raw, at + 8)
    step.expect(ENTRY_HEADER <= length <= end - at, at + 8, "an index entry inside its node", length)
    return at


def _root(step: Step, raw: bytearray) -> tuple[int, int, int]:
    """The attribute's start, its node's, and that of the step's entry."""
    start, length = _attribute(step, raw)
    value = start + _u16(raw, start + 0x14)
    is_root = _u32(raw, start) == Kind.INDEX_ROOT and not raw[start + 8]
    step.expect(is_root and value + ROOT_HEADER + 0x10 <= start + length, start, "an index root", _u32(raw, start))
    node = value + ROOT_HEADER
    return start, node, _entry(step, raw, node, start, start + length)


def _block(step: Step, raw: bytearray) -> tuple[int, int]:
    """The node in a block, and the step's entry."""
    step.expect(step.record_offset == 0, 0, "an index block's own offset to be 0", step.record_offset)
    return BLOCK_HEADER, _entry(step, raw, BLOCK_HEADER, 0, len(raw))


def _new_entry(step: Step) -> int:
    """The size of the entry to be added."""
    size = len(step.data)
    stated = _u16(step.data, 8)
    sound = size >= ENTRY_HEADER and size % 8 == 0 and stated == size
    step.expect(sound, step.attribute_offset, f"an index entry of {size} bytes", stated)
    return size


def _change_root(step: Step, raw: bytearray, start: int, node: int, at: int, change: int) -> None:
    """Makes or takes room at an entry of an index root, `at` being where the entries begin that move."""
    length = _u32(raw, start + 4)
    record = _Record(raw)
    _move(step, raw, at, change, record.used, len(raw))
    record.used += change
    struct.pack_into("<I", raw, start + 4, length + change)
    _add_u32(step, raw, start + 0x10, change)
    _add_u32(step, raw, node + 4, change)
    _add_u32(step, raw, node + 8, change)


def _add_root_entry(step: Step, raw: bytearray) -> None:
    size = _new_entry(step)
    start, node, at = _root(step, raw)
    _change_root(step, raw, start, node, at, size)
    raw[at : at + size] = step.data


def _delete_root_entry(step: Step, raw: bytearray) -> None:
    start, node, at = _root(step, raw)
    size = _u16(raw, at + 8)
    _change_root(step, raw, start, node, at + size, -size)


def _add_block_entry(step: Step, raw: bytearray) -> None:
    size = _new_entry(step)
    node, at = _block(step, raw)
    limit = min(node + _u32(raw, node + 8), len(raw))
    _move(step, raw, at, size, node + _u32(raw, node + 4), limit)
    raw[at : at + size] = step.data
    _add_u32(step, raw, node + 4, size)


def _delete_block_entry(step: Step, raw: bytearray) -> None:
    node, at = _block(step, raw)
    size = _u16(raw, at + 8)
    _move(step, raw, at + size, -size, node + _u32(raw, node + 4), len(raw))
    _add_u32(step, raw, node + 4, -size)


def _write_end_of_block(step: Step, raw: bytearray) -> None:
    node, at = _block(step, raw)
    end = node + _u32(raw, node + 4)
    _overwrite(step, raw, at, min(node + _u32(raw, node + 8), len(raw)))
    new_end = at + len(step.data)
    raw[new_end : max(end, new_end)] = bytes(max(0, end - new_end))
    struct.pack_into("<I", raw, node + 4, new_end - node)


def _set_vcn(step: Step, raw: bytearray, at: int) -> None:
    length = _u16(raw, at + 8)
    has_node = raw[at + 12] & HAS_NODE and length >= ENTRY_HEADER + 8
    step.expect(bool(has_node) and len(step.data) == 8, at, "an entry with a node below it", length)
    _overwrite(step, raw, at + length - 8, at + length)


def _update_file_name(step: Step, raw: bytearray, at: int) -> None:
    step.expect(len(step.data) == DUPLICATED_SIZE, at, f"{DUPLICATED_SIZE} bytes of a file's details", len(step.data))
    _overwrite(step, raw, at + DUPLICATED, at + _u16(raw, at + 8))


def _update_data(step: Step, raw: bytearray, at: int) -> None:
    """Replaces the data that an entry of an index other than a directory has with its key."""
    data = _u16(raw, at)
    step.expect(data >= ENTRY_HEADER, at, "an entry with data", data)
    _overwrite(step, raw, at + data, at + _u16(raw, at + 8))


# --- other bytes ------------------------------------------------------------------------------------------------------


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
    """Replaces bytes of a value that is not resident, or of an index block."""
    _overwrite(step, raw, step.record_offset + step.attribute_offset, len(raw))


Change = Callable[[Step, bytearray], None]

ON_FILE_RECORD: dict[int, Change] = {
    Operation.INITIALIZE_FILE_RECORD: _initialize,
    Operation.DEALLOCATE_FILE_RECORD: _deallocate,
    Operation.WRITE_END_OF_FILE_RECORD: _write_end_of_record,
    Operation.ZERO_END_OF_FILE_RECORD: _zero_end_of_record,
    Operation.CREATE_ATTRIBUTE: _create_attribute,
    Operation.DELETE_ATTRIBUTE: _delete_attribute,
    Operation.UPDATE_RESIDENT_VALUE: _update_resident_value,
    Operation.UPDATE_MAPPING_PAIRS: _update_mapping_pairs,
    Operation.SET_ATTRIBUTE_SIZES: _set_attribute_sizes,
    Operation.ADD_ROOT_ENTRY: _add_root_entry,
    Operation.DELETE_ROOT_ENTRY: _delete_root_entry,
    Operation.SET_ROOT_ENTRY_VCN: lambda step, raw: _set_vcn(step, raw, _root(step, raw)[2]),
    Operation.UPDATE_ROOT_FILE_NAME: lambda step, raw: _update_file_name(step, raw, _root(step, raw)[2]),
    Operation.UPDATE_ROOT_DATA: lambda step, raw: _update_data(step, raw, _root(step, raw)[2]),
}

ON_INDEX_BLOCK: dict[int, Change] = {
    Operation.ADD_BLOCK_ENTRY: _add_block_entry,
    Operation.DELETE_BLOCK_ENTRY: _delete_block_entry,
    Operation.WRITE_END_OF_BLOCK: _write_end_of_block,
    Operation.SET_BLOCK_ENTRY_VCN: lambda step, raw: _set_vcn(step, raw, _block(step, raw)[1]),
    Operation.UPDATE_BLOCK_FILE_NAME: lambda step, raw: _update_file_name(step, raw, _block(step, raw)[1]),
    Operation.UPDATE_BLOCK_DATA: lambda step, raw: _update_data(step, raw, _block(step, raw)[1]),
}

ON_BYTES: dict[int, Change] = {
    Operation.SET_BITS: lambda step, raw: _change_bits(step, raw, 1),
    Operation.CLEAR_BITS: lambda step, raw: _change_bits(step, raw, 0),
}

# These change no page; some of them change the tables.
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
