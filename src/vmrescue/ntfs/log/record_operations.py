"""$LogFile: the operations on a file record and its attributes."""

from __future__ import annotations

import struct

from vmrescue.ntfs.log.step import LogStep, move, overwrite, u16, u32
from vmrescue.ntfs.structures.attribute import NON_RESIDENT_HEADER, RESIDENT_HEADER
from vmrescue.ntfs.structures.fields import Number, align8
from vmrescue.ntfs.structures.record import END, RecordFlag
from vmrescue.ntfs.structures.run_list import decode_pairs

INDEXED = 1  # a flag of a resident attribute, used by $FILE_NAME only
ANY_CLUSTER = 1 << 62  # no limit for clusters: only the run list's length is needed here


class _Part:
    """Named fields of a record's or block's bytes; setting a field changes the bytes."""

    def __init__(self, raw: bytearray) -> None:
        self.raw = raw


class Record(_Part):
    sequence = Number("<H", 0x10)
    links = Number("<H", 0x12)
    first_attribute = Number("<H", 0x14)
    flags = Number("<H", 0x16)
    used = Number("<I", 0x18)
    next_number = Number("<H", 0x28)


def _attribute_starts(step: LogStep, raw: bytearray) -> None:
    """Raises FormatError unless an attribute or the end mark begins at the step's offset."""
    record = Record(raw)
    offset = record.first_attribute
    used = record.used
    step.expect(used <= len(raw), 0x18, f"at most {len(raw)} bytes in use", used)
    while offset < step.record_offset and offset + 8 <= used and u32(raw, offset) != END:
        length = u32(raw, offset + 4)
        step.expect(length >= RESIDENT_HEADER and length % 8 == 0, offset + 4, "the length of an attribute", length)
        offset += length
    found = f"none there; the next one is at {offset}"
    step.expect(offset == step.record_offset and offset + 4 <= used, step.record_offset, "an attribute", found)


def attribute(step: LogStep, raw: bytearray) -> tuple[int, int]:
    """(start, length) of the attribute that the step applies to."""
    _attribute_starts(step, raw)
    start = step.record_offset
    length = u32(raw, start + 4)
    whole = u32(raw, start) != END and RESIDENT_HEADER <= length <= Record(raw).used - start
    step.expect(whole, start, "an attribute inside the record", length)
    return start, length


def _is_indexed(attribute: bytes | bytearray) -> bool:
    return len(attribute) >= RESIDENT_HEADER and not attribute[8] and bool(attribute[0x16] & INDEXED)


def _resize(step: LogStep, raw: bytearray, start: int, length: int, new_length: int) -> None:
    """Changes an attribute's length and moves what follows it."""
    record = Record(raw)
    move(step, raw, start + length, new_length - length, record.used, len(raw))
    record.used += new_length - length
    struct.pack_into("<I", raw, start + 4, new_length)


def initialize(step: LogStep, raw: bytearray) -> None:
    overwrite(step, raw, step.record_offset + step.attribute_offset, len(raw))


def deallocate(step: LogStep, raw: bytearray) -> None:
    """Frees the record. Windows raises its sequence number, as its volumes show; `ntfsrecover` does not."""
    record = Record(raw)
    record.flags &= ~RecordFlag.IN_USE
    record.sequence = record.sequence + 1 if record.sequence < 0xFFFF else 1


def write_end_of_record(step: LogStep, raw: bytearray) -> None:
    _attribute_starts(step, raw)
    record = Record(raw)
    start = step.record_offset + step.attribute_offset
    used = record.used
    overwrite(step, raw, start, len(raw))
    record.used = align8(start + len(step.data))
    raw[record.used : max(used, record.used)] = bytes(max(0, used - record.used))


def zero_end_of_record(step: LogStep, raw: bytearray) -> None:
    start = step.record_offset + step.attribute_offset
    step.expect(start >= Record(raw).used, start, "bytes that are not in use", f"{Record(raw).used} are")
    overwrite(step, raw, start, len(raw), bytes(len(step.data)))


def create_attribute(step: LogStep, raw: bytearray) -> None:
    _attribute_starts(step, raw)
    record = Record(raw)
    size = len(step.data)
    stated = u32(step.data, 4)
    step.expect(
        size >= RESIDENT_HEADER and size % 8 == 0 and stated == size, 0, f"an attribute of {size} bytes", stated
    )
    move(step, raw, step.record_offset, size, record.used, len(raw))
    raw[step.record_offset : step.record_offset + size] = step.data
    record.used += size
    record.next_number = max(record.next_number, min(u16(step.data, 0x0E) + 1, 0xFFFF))
    if _is_indexed(step.data):
        step.expect(record.links < 0xFFFF, 0x12, "room for another link", record.links)
        record.links += 1


def delete_attribute(step: LogStep, raw: bytearray) -> None:
    start, length = attribute(step, raw)
    record = Record(raw)
    if _is_indexed(raw[start : start + length]):
        step.expect(record.links > 0, 0x12, "a name that counts as a link", record.links)
        record.links -= 1
    move(step, raw, start + length, -length, record.used, len(raw))
    record.used -= length


def update_resident_value(step: LogStep, raw: bytearray) -> None:
    """Replaces bytes of a value. If their number changes, they replace everything to the value's end."""
    start, length = attribute(step, raw)
    if step.same_length:
        overwrite(step, raw, start + step.attribute_offset, start + length)
        return
    value = u16(raw, start + 0x14)
    end = step.attribute_offset + len(step.data)
    inside = not raw[start + 8] and RESIDENT_HEADER <= value <= step.attribute_offset <= length
    step.expect(inside, start + step.attribute_offset, "a byte of a resident value", value)
    _resize(step, raw, start, length, align8(end))
    raw[start + step.attribute_offset : start + align8(end)] = step.data.ljust(
        align8(end) - step.attribute_offset, b"\0"
    )
    struct.pack_into("<I", raw, start + 0x10, end - value)


def _stored_attribute(step: LogStep, raw: bytearray) -> tuple[int, int]:
    start, length = attribute(step, raw)
    step.expect(bool(raw[start + 8]) and length >= NON_RESIDENT_HEADER, start + 8, "an attribute in clusters", length)
    return start, length


def update_mapping_pairs(step: LogStep, raw: bytearray) -> None:
    """Replaces the end of a run list and updates its last cluster."""
    start, length = _stored_attribute(step, raw)
    pairs = u16(raw, start + 0x20)
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


def set_attribute_sizes(step: LogStep, raw: bytearray) -> None:
    """Sets the allocated, initialized and real size, in this order, and the compressed size if it is there.

    In the attribute the real size comes before the initialized size, and `ntfsrecover` copies the numbers in their
    order. But in logs of Windows the second number is never above the third, so it is the initialized size.
    """
    start, length = _stored_attribute(step, raw)
    step.expect(len(step.data) in (24, 32), start, "three or four sizes", len(step.data))
    allocated, initialized, real = struct.unpack_from("<QQQ", step.data)
    head = u16(raw, start + 0x20)
    step.expect(start + 0x28 + len(step.data) <= start + length, start, "room for the sizes", length)
    struct.pack_into("<QQQ", raw, start + 0x28, allocated, real, initialized)
    if len(step.data) == 32 and head >= NON_RESIDENT_HEADER + 8:
        raw[start + 0x40 : start + 0x48] = step.data[24:]
