"""$LogFile: the operations on an index's nodes, in the root (in a file record) and in blocks."""

from __future__ import annotations

import struct

from vmrescue.ntfs.index import BLOCK_HEADER, ENTRY_HEADER, HAS_NODE, ROOT_HEADER
from vmrescue.ntfs.log.record_operations import Record, attribute
from vmrescue.ntfs.log.step import LogStep, add_u32, move, overwrite, u16, u32
from vmrescue.ntfs.structures.attribute import Kind

DUPLICATED = 0x18  # offset in a directory's entry of the copies of the file's times, sizes and flags
DUPLICATED_SIZE = 0x38


def _entry(step: LogStep, raw: bytearray, node: int, start: int, limit: int) -> int:
    """The offset of the step's entry in the node at `node`; all entries must be before `limit`."""
    at, end = node + u32(raw, node), node + u32(raw, node + 4)
    step.expect(node + 0x10 <= at <= end <= limit, node, f"a node that ends before byte {limit}", end)
    place = start + step.attribute_offset
    while at < place and at + ENTRY_HEADER <= end:
        length = u16(raw, at + 8)
        step.expect(length >= ENTRY_HEADER and length % 8 == 0, at + 8, "the length of an index entry", length)
        at += length
    step.expect(at == place and at + ENTRY_HEADER <= end, place, "an index entry", f"none; the next one is at {at}")
    length = u16(raw, at + 8)
    step.expect(ENTRY_HEADER <= length <= end - at, at + 8, "an index entry inside its node", length)
    return at


def root(step: LogStep, raw: bytearray) -> tuple[int, int, int]:
    """The offsets of the attribute, of its node, and of the step's entry."""
    start, length = attribute(step, raw)
    value = start + u16(raw, start + 0x14)
    is_root = u32(raw, start) == Kind.INDEX_ROOT and not raw[start + 8]
    step.expect(is_root and value + ROOT_HEADER + 0x10 <= start + length, start, "an index root", u32(raw, start))
    node = value + ROOT_HEADER
    return start, node, _entry(step, raw, node, start, start + length)


def block(step: LogStep, raw: bytearray) -> tuple[int, int]:
    """The offsets of the node in a block and of the step's entry."""
    step.expect(step.record_offset == 0, 0, "an index block's own offset to be 0", step.record_offset)
    return BLOCK_HEADER, _entry(step, raw, BLOCK_HEADER, 0, len(raw))


def _new_entry(step: LogStep) -> int:
    """The size of the entry to be added."""
    size = len(step.data)
    stated = u16(step.data, 8)
    sound = size >= ENTRY_HEADER and size % 8 == 0 and stated == size
    step.expect(sound, step.attribute_offset, f"an index entry of {size} bytes", stated)
    return size


def _change_root(step: LogStep, raw: bytearray, start: int, node: int, at: int, change: int) -> None:
    """Adds (or removes) `change` bytes in an index root; the entries from `at` on move."""
    length = u32(raw, start + 4)
    record = Record(raw)
    move(step, raw, at, change, record.used, len(raw))
    record.used += change
    struct.pack_into("<I", raw, start + 4, length + change)
    add_u32(step, raw, start + 0x10, change)
    add_u32(step, raw, node + 4, change)
    add_u32(step, raw, node + 8, change)


def add_root_entry(step: LogStep, raw: bytearray) -> None:
    size = _new_entry(step)
    start, node, at = root(step, raw)
    _change_root(step, raw, start, node, at, size)
    raw[at : at + size] = step.data


def delete_root_entry(step: LogStep, raw: bytearray) -> None:
    start, node, at = root(step, raw)
    size = u16(raw, at + 8)
    _change_root(step, raw, start, node, at + size, -size)


def add_block_entry(step: LogStep, raw: bytearray) -> None:
    size = _new_entry(step)
    node, at = block(step, raw)
    limit = min(node + u32(raw, node + 8), len(raw))
    move(step, raw, at, size, node + u32(raw, node + 4), limit)
    raw[at : at + size] = step.data
    add_u32(step, raw, node + 4, size)


def delete_block_entry(step: LogStep, raw: bytearray) -> None:
    node, at = block(step, raw)
    size = u16(raw, at + 8)
    move(step, raw, at + size, -size, node + u32(raw, node + 4), len(raw))
    add_u32(step, raw, node + 4, -size)


def write_end_of_block(step: LogStep, raw: bytearray) -> None:
    node, at = block(step, raw)
    end = node + u32(raw, node + 4)
    overwrite(step, raw, at, min(node + u32(raw, node + 8), len(raw)))
    new_end = at + len(step.data)
    raw[new_end : max(end, new_end)] = bytes(max(0, end - new_end))
    struct.pack_into("<I", raw, node + 4, new_end - node)


def set_vcn(step: LogStep, raw: bytearray, at: int) -> None:
    length = u16(raw, at + 8)
    has_node = raw[at + 12] & HAS_NODE and length >= ENTRY_HEADER + 8
    step.expect(bool(has_node) and len(step.data) == 8, at, "an entry with a node below it", length)
    overwrite(step, raw, at + length - 8, at + length)


def update_file_name(step: LogStep, raw: bytearray, at: int) -> None:
    step.expect(len(step.data) == DUPLICATED_SIZE, at, f"{DUPLICATED_SIZE} bytes of a file's details", len(step.data))
    overwrite(step, raw, at + DUPLICATED, at + u16(raw, at + 8))


def update_data(step: LogStep, raw: bytearray, at: int) -> None:
    """Replaces the data of an entry in an index that is no directory."""
    data = u16(raw, at)
    step.expect(data >= ENTRY_HEADER, at, "an entry with data", data)
    overwrite(step, raw, at + data, at + u16(raw, at + 8))
