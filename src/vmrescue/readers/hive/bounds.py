"""dissect.regf with limits: a damaged hive cannot make it loop or use unlimited memory.

Version 3.14 reads cells of any size, once for each reference, and follows nested lists of keys to any depth. In a valid
hive each cell has one owner, and lists have two levels.

It also decodes names of one byte for each character as UTF-8 if it can, and fails on lone surrogates. So names are
decoded here, as Windows stores them.
"""

from __future__ import annotations

import os
import struct
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dissect.regf import RegistryHive
from dissect.regf.regf import Cell, IndexRoot, KeyNode, KeyValue

from vmrescue.errors import FormatError
from vmrescue.readers.hive.pages import BINS, LEAST_CELL, LEAST_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

TIMES_ITS_SIZE = 16  # most bytes that are read, in multiples of the hive's size
_SIZE = struct.Struct("<i")
_PREDEFINED = 0x40  # flag of a key: the field for the number of values has a handle instead
_ONE_BYTE = {b"nk": 0x20, b"vk": 0x01}  # flag: the name has one byte for each character


class BoundedHive(RegistryHive):  # type: ignore[misc]  # dissect.regf has no types
    """dissect's reader of a hive; `size` is its length in bytes."""

    def __init__(self, stream: BinaryIO) -> None:
        self.size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        self._left = self.size * TIMES_ITS_SIZE
        super().__init__(stream)

    def _cell_data(self, offset: int) -> tuple[bool, bytes]:
        """Whether a cell is in use, and its content."""
        position = BINS + offset
        if not 0 <= offset <= self.size - BINS - LEAST_CELL:
            raise FormatError("cell", position, f"a place among the hive's {self.size} bytes")
        self.fh.seek(position)
        (size,) = _SIZE.unpack(self.fh.read(_SIZE.size))
        if not LEAST_CELL <= abs(size) <= self.size - position:
            raise FormatError("cell", position, f"a size of {LEAST_CELL} to {self.size - position} bytes", abs(size))
        self._left -= abs(size)
        if self._left < 0:
            raise FormatError("cell", position, "a cell of its own for each key and value", "cells that many share")
        return size < 0, self.fh.read(abs(size) - _SIZE.size)

    def parse_cell_data(self, data: bytes) -> Any:
        return BoundedKey(self, data) if data[:2] == KeyNode.__signature__ else super().parse_cell_data(data)


class BoundedKey(KeyNode):  # type: ignore[misc]
    """dissect's key, with its name decoded here. Its class name, which we do not need, is not read."""

    def __init__(self, hive: BoundedHive, data: bytes) -> None:
        Cell.__init__(self, hive, data)
        self._cache: dict[str, Any] = {}
        self.name = _name(self, data)

    def values(self) -> Iterator[BoundedValue]:
        """The key's values; list entries that are no offsets in the hive are skipped, as dissect does."""
        count = 0 if int(self.cell.Flags) & _PREDEFINED else self.cell.ValueList.Count
        places = self.hive.cell_data(self.cell.ValueList.List) if count else b""
        for (place,) in struct.iter_unpack("<i", places[: len(places) // 4 * 4][: 4 * count]):
            if place > 2:
                yield BoundedValue(self.hive, self.hive.cell_data(place))


class BoundedValue(KeyValue):  # type: ignore[misc]
    """dissect's value, with its name decoded here; the default value's name is empty."""

    @cached_property
    def data(self) -> bytes:
        """The data; also if one cell has more than a segment of big data, as older versions and hivex write it."""
        if self.is_big_value:
            content: bytes = self.hive.cell_data(self.cell.Data)
            if len(content) >= self.size:
                return content[: self.size]
        return bytes(super().data)

    def __init__(self, hive: BoundedHive, data: bytes) -> None:
        super().__init__(hive, data)
        self.name = _name(self, data)


def _name(cell: Any, data: bytes) -> str:
    start = len(cell.__struct__)
    raw = data[start : start + cell.cell.NameLength]
    if int(cell.cell.Flags) & _ONE_BYTE[cell.__signature__]:
        return raw.decode("latin-1")
    return raw[: len(raw) & ~1].decode("utf-16-le", "surrogatepass")


def check_key(cell: Any) -> None:
    """Raises FormatError unless `cell`, which the base block or a list refers to as a key, is a key."""
    if not isinstance(cell, KeyNode):
        raise FormatError("key node", None, "the signature 'nk'", repr(type(cell).__signature__))


def check_list(key: Any) -> None:
    """Raises FormatError if a key's list of subkeys is nested too deep, or longer than its hive allows."""
    keys = key._subkey_list
    if not isinstance(keys, IndexRoot):
        return
    most = key.hive.size // LEAST_KEY
    total = 0
    for offset in keys.cell.List:
        leaf = key.hive.cell(offset)
        if isinstance(leaf, IndexRoot):
            raise FormatError("subkey list", BINS + offset, "a leaf under an index root", "an index root")
        total += leaf.count
        if total > most:
            raise FormatError("subkey list", BINS + offset, f"at most the {most} keys that fit in the hive", "more")
