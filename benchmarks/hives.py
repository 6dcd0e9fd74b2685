"""Hives of any size: a real SYSTEM hive many times over, each copy below a key of its own.

The copies' cells are the real ones; only the offsets in them are moved, the names of their root keys are numbered, and
their rings of security descriptors are joined.
"""

from __future__ import annotations

import struct
from array import array
from dataclasses import replace
from typing import TYPE_CHECKING

from vmrescue.registry import Hive, key_node, key_value, names, subkey_list
from vmrescue.registry.base_block import SECTOR, BaseBlock
from vmrescue.registry.cells import BINS, NIL, PAGE, SIZE
from vmrescue.registry.space import BIN_HEADER

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.registry.key import Key

_NODE, _VALUE, _RING = 4, 4, 8  # where a key node, a value and the ring's two links begin in their cells
_PARENT, _SUBKEYS, _VALUES, _SECURITY, _CLASS = (_NODE + at for at in (16, 28, 40, 44, 48))


class _Pointers:
    """Where in a hive's bins the offsets of cells are: their places, each that of four bytes."""

    def __init__(self, hive: Hive) -> None:
        self.places: list[int] = []
        self.rings: set[int] = set()  # the cells of security descriptors
        self._cells = hive.cells
        for key in hive.walk():
            self._of_key(key)

    def _of_key(self, key: Key) -> None:
        node, at = key.node, key.offset
        self.places.append(at + _PARENT)
        self.places.append(at + _SECURITY)
        self.rings.add(node.security)
        if node.class_name != NIL:
            self.places.append(at + _CLASS)
        if node.subkey_count:
            self.places.append(at + _SUBKEYS)
            self._of_list(node.subkey_list)
        if node.has_values:
            self.places.append(at + _VALUES)
            self.places += range(node.value_list + 4, node.value_list + 4 + 4 * node.value_count, 4)
            for value in key.values():
                self._of_value(value.offset, value.fields)

    def _of_list(self, offset: int) -> None:
        signature, count, *_ = subkey_list.header(self._cells, offset)
        width = 4 if signature in (b"ri", b"li") else 8
        self.places += range(offset + 8, offset + 8 + width * count, width)
        if signature == b"ri":
            for leaf in subkey_list.read_root(self._cells, offset):
                self._of_list(leaf)

    def _of_value(self, offset: int, value: key_value.KeyValue) -> None:
        cells = key_value.data_cells(self._cells, value)
        if not cells:
            return
        self.places.append(offset + _VALUE + 8)
        if len(cells) > 1:
            self.places.append(cells[0] + 8)
            self.places += range(cells[1] + 4, cells[1] + 4 + 4 * (len(cells) - 2), 4)


def write_hive(path: Path, real: bytes, size: int) -> None:
    """Writes a hive of about `size` bytes, made of copies of a real one."""
    hive = Hive(real)
    bins = hive.cells.data[BINS : BINS + hive.cells.bins_size]
    copies = max(1, round(size / len(bins)))
    pointers = _Pointers(hive)
    top = Hive.create(path.name)
    room = -(-(2048 + 8 * copies) // PAGE) * PAGE  # bytes of the bin with the root key
    with path.open("wb") as stream:
        stream.write(_top(top, hive, room, copies, pointers))
        for number in range(copies):
            stream.write(_copy(bins, hive, pointers, top, room + number * len(bins), number, copies))


def _name(hive: Hive, number: int) -> bytes:
    return f"{number:0{hive.root.node.name_length}d}".encode()


def _top(top: Hive, hive: Hive, room: int, copies: int, pointers: _Pointers) -> bytes:
    """The base block, and the bin with the root key, its list, and its security descriptor."""
    start, length = room, hive.cells.bins_size
    roots = [start + number * length + hive.root_offset for number in range(copies)]
    hashes = [names.name_hash(_name(hive, number).decode()) for number in range(copies)]
    content = struct.pack("<2sH", b"lh", copies) + b"".join(map(struct.Struct("<II").pack, roots, hashes))
    root, at = top.root.node, top.root_offset
    ring = sorted(pointers.rings)
    used = _end(top)
    leaf = struct.pack("<i", -(4 + len(content) + 7 & ~7)) + content
    leaf += bytes(-len(leaf) % 8)
    data = bytearray(top.to_bytes()[: BINS + used] + leaf)
    if rest := room - used - len(leaf):
        data += struct.pack("<i", rest)
    data = data.ljust(BINS + room, b"\0")
    struct.pack_into("<I", data, BINS + 8, room)
    node = root._replace(subkey_count=copies, subkey_list=used, max_subkey_name=2 * hive.root.node.name_length)
    key_node.LAYOUT.pack_into(data, BINS + at + _NODE, *node)
    first, last = start + ring[0], start + (copies - 1) * length + ring[-1]
    struct.pack_into("<II", data, BINS + root.security + _RING, first, last)
    base = BaseBlock.parse(bytes(data[:SECTOR]))
    data[:SECTOR] = replace(base, bins_size=room + copies * length).store(bytes(data[:SECTOR]))
    return bytes(data)


def _end(top: Hive) -> int:
    """Where the cells in use of a new hive's only bin end."""
    at = BIN_HEADER.size
    while (size := top.cells.data.unpack(SIZE, BINS + at)[0]) < 0:
        at -= size
    return at


def _copy(bins: bytes, hive: Hive, pointers: _Pointers, top: Hive, base: int, number: int, copies: int) -> bytes:
    """The bins of the real hive, `base` bytes behind the first bin."""
    words = array("I", bins)
    for place in pointers.places:
        words[place >> 2] += base
    at = 0
    while at < len(bins):
        words[at + 4 >> 2] += base
        at += words[at + 8 >> 2]
    root, ring, above = hive.root_offset, sorted(pointers.rings), top.root.node.security
    for before, offset, after in zip(ring[-1:] + ring[:-1], ring, ring[1:] + ring[:1], strict=True):
        words[offset + _RING >> 2], words[offset + _RING + 4 >> 2] = base + after, base + before
    words[ring[-1] + _RING >> 2] = base + len(bins) + ring[0] if number + 1 < copies else above
    words[ring[0] + _RING + 4 >> 2] = base - len(bins) + ring[-1] if number else above
    words[root + _PARENT >> 2] = top.root_offset
    data = bytearray(words.tobytes())
    struct.pack_into("<H", data, root + _NODE + 2, key_node.COMP_NAME)
    name = _name(hive, number)
    at = root + _NODE + key_node.LAYOUT.size
    data[at : at + len(name)] = name
    return bytes(data)
