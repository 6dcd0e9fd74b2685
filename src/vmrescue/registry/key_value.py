"""A value as it is stored: the key value (`vk`), the key's list of values, and the data, big data included.

Source: M. Suhanov, "Windows registry file format specification", sections "Key value" and "Big data".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from vmrescue.errors import FormatError, bytes_text
from vmrescue.registry import names
from vmrescue.registry.cells import content_of

if TYPE_CHECKING:
    from vmrescue.registry.cells import Cells
    from vmrescue.registry.key_node import KeyNode
    from vmrescue.registry.space import Space

LAYOUT = struct.Struct("<2sHIIIHH")
SIZE_AT = 4  # where the data's size is in it
BIG_DATA = struct.Struct("<2sHI")

COMP_NAME = 1  # flag: the name is Latin-1
TOMBSTONE = 2  # flag in layered hives: the value hides the value of that name in the layer below
INLINE = 0x80000000  # bit of the size: the data itself is in the field for its offset
INLINE_MOST = 4  # bytes
SEGMENT = 16344  # bytes in each segment of big data but the last; larger data is stored as big data
MOST_DATA = 0xFFFF * SEGMENT  # bytes; big data counts its segments in two bytes
BIG_DATA_MINOR = 4  # the first version that has big data


class KeyValue(NamedTuple):
    """The fields of a key value, in their stored order."""

    signature: bytes
    name_length: int
    stored_size: int  # bytes, with INLINE
    data: int  # a cell's offset, or the data itself
    type: int
    flags: int
    spare: int

    @property
    def size(self) -> int:
        return self.stored_size & ~INLINE

    @property
    def is_inline(self) -> bool:
        return bool(self.stored_size & INLINE)


def read(cells: Cells, offset: int) -> KeyValue:
    """The key value in a cell. Raises FormatError if there is none."""
    position, length = cells.find(offset, "key value", LAYOUT.size)
    value = KeyValue._make(cells.data.unpack(LAYOUT, position))
    if value.signature != b"vk":
        raise FormatError("key value", position, "the signature 'vk'", value.signature)
    if LAYOUT.size + value.name_length > length:
        raise FormatError("key value", position + 2, f"a name within {length - LAYOUT.size} bytes", value.name_length)
    return value


def read_name(cells: Cells, offset: int, value: KeyValue) -> str:
    """The name of the value in that cell; empty for the default value."""
    start = content_of(offset) + LAYOUT.size
    return names.decode(cells.data[start : start + value.name_length], bool(value.flags & COMP_NAME))


def list_values(cells: Cells, node: KeyNode) -> tuple[int, ...]:
    """The cells of a key's values, in their order."""
    if not node.has_values:
        return ()
    position, _ = cells.find(node.value_list, "value list", 4 * node.value_count)
    return cells.data.unpack(struct.Struct(f"<{node.value_count}I"), position)


def read_data(cells: Cells, offset: int, value: KeyValue) -> bytes:
    """A value's data, inline, in one cell or in segments. Raises FormatError if some of it is missing."""
    size, size_at = value.size, content_of(offset) + SIZE_AT
    if value.is_inline:
        if size > INLINE_MOST:
            raise FormatError("key value", size_at, f"at most {INLINE_MOST} bytes of inline data", size)
        return value.data.to_bytes(4, "little")[:size]
    if size == 0:
        return b""
    if size > cells.bins_size:
        raise FormatError("key value", size_at, f"at most {cells.bins_size} bytes of data", size)
    position, length = cells.find(value.data, "value data")
    if size <= length:
        return cells.data[position : position + size]
    return b"".join(cells.data[start:end] for start, end in _segments(cells, value))


def big_data_cells(cells: Cells, value: KeyValue) -> tuple[int, ...]:
    """The cells of the segments of a value's big data."""
    position, _ = cells.find(value.data, "big data", BIG_DATA.size)
    signature, count, segment_list = cells.data.unpack(BIG_DATA, position)
    needed = -(-value.size // SEGMENT)
    if signature != b"db" or count != needed:
        raise FormatError(
            "big data", position, f"the signature 'db' and {needed} segments", f"{bytes_text(signature)} and {count}"
        )
    position, _ = cells.find(segment_list, "segment list", 4 * count)
    return cells.data.unpack(struct.Struct(f"<{count}I"), position)


def _segments(cells: Cells, value: KeyValue) -> list[tuple[int, int]]:
    left = value.size
    found = []
    for offset in big_data_cells(cells, value):
        size = min(left, SEGMENT)
        position, _ = cells.find(offset, "data segment", size)
        found.append((position, position + size))
        left -= size
    return found


def data_cells(cells: Cells, value: KeyValue) -> list[int]:
    """All cells that hold a value's data and nothing else."""
    if value.is_inline or value.size == 0:
        return []
    _, length = cells.find(value.data, "value data")
    if value.size <= length:
        return [value.data]
    position, _ = cells.find(value.data, "big data", BIG_DATA.size)
    segment_list = cells.data.unpack(BIG_DATA, position)[2]
    return [value.data, segment_list, *big_data_cells(cells, value)]


def store_data(cells: Cells, space: Space, near: int, raw: bytes, minor: int) -> tuple[int, int]:
    """Stores data inline, in one cell or in segments. Returns the fields (stored size, data) for its key value."""
    if len(raw) <= INLINE_MOST:
        return len(raw) | INLINE, int.from_bytes(raw, "little")
    if len(raw) <= SEGMENT or minor < BIG_DATA_MINOR:
        return len(raw), _store_cell(cells, space, near, raw)
    # As in Windows, the last segment's cell is as large as the others. hivex reads all but the last 4 bytes of a cell.
    chunks = [raw[start : start + SEGMENT].ljust(SEGMENT, b"\0") for start in range(0, len(raw), SEGMENT)]
    segments = [_store_cell(cells, space, near, chunk) for chunk in chunks]
    segment_list = _store_cell(cells, space, near, struct.pack(f"<{len(segments)}I", *segments))
    return len(raw), _store_cell(cells, space, near, BIG_DATA.pack(b"db", len(segments), segment_list))


def _store_cell(cells: Cells, space: Space, near: int, content: bytes) -> int:
    offset = space.allocate(len(content), near)
    cells.fill(offset, content)
    return offset


def store(cells: Cells, offset: int, value: KeyValue) -> None:
    """Writes a key value's fields; the name after them stays."""
    position, _ = cells.find(offset, "key value", LAYOUT.size)
    cells.write(position, LAYOUT.pack(*value))


def new(cells: Cells, space: Space, near: int, name: str) -> tuple[int, KeyValue]:
    """A new, empty key value of that name: its cell, and its fields."""
    raw, compressed = names.encode(name)
    value = KeyValue(b"vk", len(raw), INLINE, 0, 0, COMP_NAME if compressed and raw else 0, 0)
    return _store_cell(cells, space, near, LAYOUT.pack(*value) + raw), value
