"""Keys for a diagnosis, read straight from their bytes as far as these are plain; dissect.regf reads all others.

dissect's definitions take long to parse when a program starts, and its objects when a hive is read. Of a key that is
plain nothing else is needed: a node, lists of one or two levels, data of one cell. Whatever is not as it should be is
asked of dissect's key of the same cell, which raises the errors: the answers are the same, as
`tests/readers/test_plain_hive.py` shows. What confirms an edit asks dissect for all of it.
Source: M. Suhanov, "Windows registry file format specification": base block, key node, key value, subkeys list.
"""

from __future__ import annotations

import os
import struct
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, Self

from vmrescue.errors import FormatError
from vmrescue.readers.hive.key import SYM_LINK, HiveKey, HiveValue
from vmrescue.readers.hive.pages import (
    BINS,
    INLINE,
    LARGEST_IN_ONE_CELL,
    LEAST_KEY,
    NAME_IN_NODE,
    NODE,
    ONE_BYTE_KEY,
    ONE_BYTE_VALUE,
    SIGNATURE,
    STRIDES,
    VALUE,
    Pages,
    name_in,
)
from vmrescue.upcase import upper

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.readers.hive.bounds import BoundedHive

NOT_PLAIN = (FormatError, struct.error)  # what reading something that is not plain raises here
_LEAF_ENTRY = struct.Struct("<I4s")  # the key's cell, the hint of its name
_ROOT_KEY = slice(36, 40)  # of the base block
_PREDEFINED = 0x40  # a flag of a key node


class _Value(NamedTuple):
    name: str
    type: int
    size: int
    data: int


class PlainHive:
    """A hive's pages, and dissect's hive where it is needed."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.size = stream.seek(0, os.SEEK_END)
        self.pages = Pages(stream, self.size)
        block = self.pages.read(0, BINS) if self.size > BINS else b""
        if block[:4] != SIGNATURE:
            raise FormatError("base block", None, "the signature 'regf'", block[:4])
        self.root = PlainKeyNode(self, int.from_bytes(block[_ROOT_KEY], "little"))

    @cached_property
    def full(self) -> BoundedHive:
        from vmrescue.readers.hive.bounds import BoundedHive

        return BoundedHive(self._stream)


class PlainKeyNode:
    """A key node. What raises one of `NOT_PLAIN` is not plain."""

    def __init__(self, hive: PlainHive, offset: int) -> None:
        cell = hive.pages.cell(offset)
        if cell[:2] != b"nk":
            raise FormatError("key node", BINS + offset, "the signature 'nk'", cell[:2])
        self.hive = hive
        self.offset = offset
        self.flags, self.parent, count, listed, self._value_count, self._value_list, length = NODE.unpack_from(cell)
        self.subkey_list = listed, count
        self.name = name_in(cell, NAME_IN_NODE, length, self.flags & ONE_BYTE_KEY)

    def subkeys(self) -> list[PlainKeyNode]:
        """The subkeys; of several with one name only the first."""
        return list(self._by_name.values())

    @cached_property
    def _by_name(self) -> dict[str, PlainKeyNode]:
        places = [place for place, _ in self._listed]
        self.hive.pages.fetch(places)
        found: dict[str, PlainKeyNode] = {}
        for place in places:
            node = PlainKeyNode(self.hive, place)
            found.setdefault(upper(node.name), node)
        return found

    def subkey(self, name: str) -> PlainKeyNode | None:
        wanted = upper(name)
        if "_by_name" not in self.__dict__:
            hints = _hints(wanted) if wanted.isascii() else ()
            for place, hint in self._listed:
                if hint in hints and upper((node := PlainKeyNode(self.hive, place)).name) == wanted:
                    return node
        return self._by_name.get(wanted)

    @cached_property
    def _listed(self) -> list[tuple[int, bytes]]:
        """(cell, hint) of each subkey, with the hint in upper case where it is letters; of an index leaf without."""
        listed, count = self.subkey_list
        return list(self._leaves(listed)) if count else []

    def _leaves(self, offset: int) -> Iterator[tuple[int, bytes]]:
        pages = self.hive.pages
        cell = pages.cell(offset)
        leaves = [offset]
        if cell[:2] == b"ri":
            leaves = [*struct.unpack_from(f"<{int.from_bytes(cell[2:4], 'little')}I", cell, 4)]
        total = 0
        for leaf in leaves:
            cell = pages.cell(leaf)
            kind, count = cell[:2], int.from_bytes(cell[2:4], "little")
            stride = STRIDES.get(kind)
            total += count
            if stride is None or total > self.hive.size // LEAST_KEY or 4 + stride * count > len(cell):
                raise FormatError("subkey list", BINS + leaf, "a list of keys", kind)
            for at in range(4, 4 + stride * count, stride):
                if kind == b"li":
                    yield int.from_bytes(cell[at : at + 4], "little"), b""
                else:
                    place, hint = _LEAF_ENTRY.unpack_from(cell, at)
                    yield place, hint.upper() if kind == b"lf" else hint

    @cached_property
    def values(self) -> dict[str, _Value]:
        """Upper-cased name -> value, the first of two alike."""
        count = 0 if self.flags & _PREDEFINED else self._value_count
        found: dict[str, _Value] = {}
        if not count:
            return found
        pages = self.hive.pages
        places = pages.cell(self._value_list)
        if count > len(places) // 4:
            raise FormatError("value list", BINS + self._value_list, f"room for {count} values", len(places))
        for place in struct.unpack_from(f"<{count}i", places):
            cell = pages.cell(place)
            if cell[:2] != b"vk":
                raise FormatError("key value", BINS + place, "the signature 'vk'", cell[:2])
            length, size, data, kind, flags = VALUE.unpack_from(cell)
            name = name_in(cell, VALUE.size, length, flags & ONE_BYTE_VALUE)
            found.setdefault(upper(name), _Value(name, kind, size, data))
        return found

    def stored(self, value: _Value) -> HiveValue:
        size = value.size & ~INLINE
        if value.size & INLINE:
            return HiveValue(value.type, value.data.to_bytes(4, "little")[:size])
        if not size:
            return HiveValue(value.type, b"")
        if size > LARGEST_IN_ONE_CELL:
            raise FormatError("key value", None, f"at most {LARGEST_IN_ONE_CELL} bytes in one cell", size)
        return HiveValue(value.type, self.hive.pages.cell(value.data)[:size])

    def stored_values(self) -> dict[str, HiveValue]:
        if sum(value.size & ~INLINE for value in self.values.values()) > self.hive.size:
            raise FormatError("key", BINS + self.offset, "values that fit in their hive together", "larger ones")
        return {value.name: self.stored(value) for value in self.values.values()}


def _hints(name: str) -> tuple[bytes, bytes, bytes]:
    """What stands beside a key of that upper-cased name in a leaf of any kind."""
    value = 0
    for letter in name.encode():
        value = (value * 37 + letter) & 0xFFFFFFFF
    return value.to_bytes(4, "little"), name[:4].encode().ljust(4, b"\0"), b""


class PlainKey(HiveKey):
    """A key, plain or dissect's."""

    def __init__(self, key: Any, hive: str) -> None:
        self._node = key if isinstance(key, PlainKeyNode) else None
        if self._node is None:
            super().__init__(key, hive)
        else:
            self._hive = hive
            self._asked = 0

    @classmethod
    def root_of(cls, stream: BinaryIO, hive: str) -> Self:
        try:
            return cls(PlainHive(stream).root, hive)
        except NOT_PLAIN:
            return super().root_of(stream, hive)

    @cached_property
    def _key(self) -> Any:
        """dissect's object for the key."""
        from vmrescue.readers.hive.bounds import check_key

        assert self._node is not None
        with self._reading():
            key = self._node.hive.full.cell(self._node.offset)
        check_key(key)
        return key

    @property
    def name(self) -> str:
        return self._node.name if self._node else super().name

    @property
    def is_link(self) -> bool:
        return bool(self._node.flags & SYM_LINK) if self._node else super().is_link

    @property
    def place(self) -> tuple[int, str]:
        return (self._node.parent, upper(self._node.name)) if self._node else super().place

    @property
    def pages(self) -> Pages:
        return self._node.hive.pages if self._node else super().pages

    @property
    def subkey_list(self) -> tuple[int, int]:
        return self._node.subkey_list if self._node else super().subkey_list

    def subkeys(self) -> list[Self]:
        if self._node:
            try:
                return [type(self)(node, self._hive) for node in self._node.subkeys()]
            except NOT_PLAIN:
                pass
        return super().subkeys()

    def subkey(self, name: str) -> Self | None:
        if self._node:
            try:
                found = self._node.subkey(name)
                return type(self)(found, self._hive) if found else None
            except NOT_PLAIN:
                pass
        return super().subkey(name)

    def value(self, name: str) -> HiveValue | None:
        if self._node:
            try:
                found = self._node.values.get(upper(name))
                return self._node.stored(found) if found else None
            except NOT_PLAIN:
                pass
        return super().value(name)

    def stored_values(self) -> dict[str, HiveValue]:
        if self._node:
            try:
                return self._node.stored_values()
            except NOT_PLAIN:
                pass
        return super().stored_values()
