"""Keys and values of an opened hive: what a caller reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from vmrescue.errors import FormatError
from vmrescue.registry import filetime, key_node, key_value, security, subkey_list, value_type
from vmrescue.registry import path as key_path
from vmrescue.registry.cells import BINS, NIL
from vmrescue.registry.errors import ValueNotFound

if TYPE_CHECKING:
    from datetime import datetime

    from vmrescue.registry.cells import Cells
    from vmrescue.registry.key_node import KeyNode
    from vmrescue.registry.key_value import KeyValue
    from vmrescue.registry.value_names import ValueNames
    from vmrescue.registry.value_type import Data, ValueType

MAX_DEPTH = 512  # Microsoft, "Registry element size limits"
LINK_VALUE = "SymbolicLinkValue"


class HoldsKeys(Protocol):
    """What keys and values need of their hive: see `Hive`."""

    cells: Cells
    value_names: ValueNames
    root_offset: int
    edition: int
    key_edition: int

    def find(self, path: str) -> int: ...


class Key:
    """A key of a hive. After an edit of the hive it is read again; KeyNotFound if the edit removed it.

    Every subkey must name its key as its parent, so the keys below the root form a tree even in a damaged hive. Like
    Windows, this reads at most 512 levels.
    """

    __slots__ = ("_edition", "_hive", "_key_edition", "_node", "_offset", "_parent", "depth", "name")

    _offset: int

    def __init__(self, hive: HoldsKeys, offset: int, parent: Key | None) -> None:
        self._hive = hive
        self._parent = parent
        self.depth: int = parent.depth + 1 if parent is not None else 0  # levels below the root key
        self._load(offset)

    def _load(self, offset: int) -> None:
        cells = self._hive.cells
        if self.depth > MAX_DEPTH:
            raise FormatError("key node", BINS + offset, f"at most {MAX_DEPTH} levels of keys", "more")
        node = key_node.read(cells, offset)
        parent = self._parent
        if parent is not None and (node.parent != parent._offset or offset == self._hive.root_offset):
            position = BINS + offset + 20
            raise FormatError("key node", position, f"the parent 0x{parent._offset:x}", f"0x{node.parent:x}")
        self._offset = offset
        self._node = node
        self._edition, self._key_edition = self._hive.edition, self._hive.key_edition
        self.name = key_node.read_name(cells, offset, node)

    def __repr__(self) -> str:
        return f"<Key {self.path!r}>"

    @property
    def offset(self) -> int:
        """Its cell, counted from the first bin."""
        self._refresh()
        return self._offset

    @property
    def node(self) -> KeyNode:
        """The fields of its key node."""
        self._refresh()
        return self._node

    def _refresh(self) -> None:
        if self._edition != self._hive.edition:
            stays = self._key_edition == self._hive.key_edition
            self._load(self._offset if stays else self._hive.find(self.path))

    @property
    def path(self) -> str:
        """The names from below the root key down to this one, as a path; empty for the root key."""
        parts = []
        key = self
        while key._parent is not None:
            parts.append(key.name)
            key = key._parent
        return key_path.join(parts[::-1])

    @property
    def last_written(self) -> datetime:
        """When its values or its list of subkeys last changed, UTC."""
        return filetime.to_datetime(self.node.last_written)

    @property
    def class_name(self) -> str:
        """The class that the key was created with; empty for most."""
        return key_node.read_class(self._hive.cells, self.node)

    @property
    def security_descriptor(self) -> bytes:
        """The self-relative security descriptor ([MS-DTYP] 2.4.6)."""
        return security.descriptor(self._hive.cells, self.node.security)

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link: opening it opens the key that it leads to."""
        return bool(self.node.flags & key_node.SYM_LINK)

    @property
    def is_bare(self) -> bool:
        """Whether it has no values and no subkeys."""
        return not (self.node.subkey_count or self.node.has_values or self.depth == 0)

    @property
    def link_target(self) -> str | None:
        """Where a symbolic link points, as a path of the kernel (`\\Registry\\Machine\\...`); None for other keys."""
        if not self.is_link:
            return None
        target = self.value(LINK_VALUE).data
        return target if isinstance(target, str) else None

    def subkeys(self) -> list[Key]:
        """The keys directly below, sorted as Windows sorts them."""
        node = self.node
        if not node.subkey_count or node.subkey_list == NIL:
            return []
        hive = self._hive
        return [Key(hive, offset, self) for offset in subkey_list.read_offsets(hive.cells, node.subkey_list)]

    def subkey(self, name: str) -> Key | None:
        """The key of that name directly below, in any case; None if there is none."""
        node = self.node
        if not node.subkey_count or node.subkey_list == NIL:
            return None
        offset = subkey_list.find(self._hive.cells, node.subkey_list, name)
        return None if offset is None else Key(self._hive, offset, self)

    def values(self) -> list[Value]:
        """The values, in the order in which they were set."""
        return [Value(self, offset) for offset in key_value.list_values(self._hive.cells, self.node)]

    def value(self, name: str) -> Value:
        """The value of that name, in any case; "" is the default value. Raises ValueNotFound."""
        node = self.node
        offset = self._hive.value_names.find(self._offset, node, name)
        if offset is None:
            raise ValueNotFound(name, self.path)
        return Value(self, offset)


class Value:
    """A value of a key. After an edit of the hive it is read again; ValueNotFound if the edit removed it."""

    __slots__ = ("_edition", "_fields", "_key", "_offset", "name")

    _offset: int

    def __init__(self, key: Key, offset: int) -> None:
        self._key = key
        self._load(offset)

    def _load(self, offset: int) -> None:
        hive = self._key._hive
        self._offset = offset
        self._fields = key_value.read(hive.cells, offset)
        self._edition = hive.edition
        self.name = key_value.read_name(hive.cells, offset, self._fields)

    def __repr__(self) -> str:
        return f"<Value {self.name!r} of {self._key.path!r}>"

    @property
    def offset(self) -> int:
        """Its cell, counted from the first bin."""
        self._refresh()
        return self._offset

    @property
    def fields(self) -> KeyValue:
        """The fields of its key value."""
        self._refresh()
        return self._fields

    def _refresh(self) -> None:
        if self._edition != self._key._hive.edition:
            self._load(self._key.value(self.name)._offset)

    @property
    def type(self) -> ValueType | int:
        """The type, as a number if it has no name."""
        return value_type.value_type(self.fields.type)

    @property
    def size(self) -> int:
        """Bytes of data."""
        return self.fields.size

    @property
    def raw(self) -> bytes:
        """The data as stored."""
        fields = self.fields
        return key_value.read_data(self._key._hive.cells, self._offset, fields)

    @property
    def data(self) -> Data:
        """The data as a number, a string or a list of strings; as bytes if its type or content is none of these."""
        return value_type.decode(self.fields.type, self.raw)
