"""A key as it is stored: the key node (`nk`).

Source: M. Suhanov, "Windows registry file format specification", section "Key node".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from vmrescue.errors import FormatError
from vmrescue.registry import names
from vmrescue.registry.cells import NIL, content_of

if TYPE_CHECKING:
    from vmrescue.registry.cells import Cells

LAYOUT = struct.Struct("<2sHQIIIIIIIIIIHBBIIIIHH")
_NAMED = struct.Struct("<2sH68xH")  # the same, but only the signature, the flags and the name's length


# Flags of a key node that matter to an editor.
HIVE_EXIT = 0x02  # a mount point of another hive; never stored
HIVE_ENTRY = 0x04  # the root key
NO_DELETE = 0x08
SYM_LINK = 0x10
COMP_NAME = 0x20  # the name is Latin-1
PREDEF_HANDLE = 0x40  # the number of values is a handle

LAYER = 0x300  # in the access bits: how a layered key changes the key of the same path in the layer below
HIDES = 0x100  # 0x100 alone hides that key; 0x300: this key and its subkeys replace that key

INHERIT_VIRTUALIZATION = 0x8  # virtualization flag: new subkeys inherit the virtualization flags


class KeyNode(NamedTuple):
    """The fields of a key node, in their stored order. Offsets are those of cells; lengths and sizes are bytes."""

    signature: bytes
    flags: int
    last_written: int  # 100 ns since 1601
    access_bits: int
    parent: int
    subkey_count: int
    volatile_count: int  # subkeys that were in memory only; means nothing in a stored hive
    subkey_list: int
    volatile_list: int
    value_count: int
    value_list: int
    security: int
    class_name: int
    max_subkey_name: int  # the `max_` fields are the "largest" fields; those of names count bytes in UTF-16
    virtualization: int  # low half: virtualization control flags; high half: user flags
    debug: int
    max_subkey_class: int
    max_value_name: int
    max_value_data: int
    work_var: int
    name_length: int
    class_length: int

    @property
    def has_values(self) -> bool:
        return bool(self.value_count) and not self.flags & PREDEF_HANDLE


def read(cells: Cells, offset: int) -> KeyNode:
    """The key node in a cell. Raises FormatError if there is none."""
    position, length = cells.find(offset, "key node", LAYOUT.size)
    node = KeyNode._make(cells.data.unpack(LAYOUT, position))
    if node.signature != b"nk":
        raise FormatError("key node", position, "the signature 'nk'", node.signature)
    if LAYOUT.size + node.name_length > length:
        raise FormatError("key node", position + 72, f"a name within {length - LAYOUT.size} bytes", node.name_length)
    return node


def read_name(cells: Cells, offset: int, node: KeyNode) -> str:
    """The name of the key whose node lies in that cell."""
    start = content_of(offset) + LAYOUT.size
    return names.decode(cells.data[start : start + node.name_length], bool(node.flags & COMP_NAME))


def name_at(cells: Cells, offset: int) -> str:
    """The name of the key in a cell. Reads nothing else, because searching and sorting call this most."""
    position, length = cells.find(offset, "key node", LAYOUT.size)
    signature, flags, name_length = cells.data.unpack(_NAMED, position)
    if signature != b"nk" or LAYOUT.size + name_length > length:
        read(cells, offset)  # raises the FormatError
    start = position + LAYOUT.size
    return names.decode(cells.data[start : start + name_length], bool(flags & COMP_NAME))


def read_class(cells: Cells, node: KeyNode) -> str:
    """The class name; empty if the key has none."""
    if node.class_name == NIL or not node.class_length:
        return ""
    return names.decode(cells.content(node.class_name, "class name", node.class_length), compressed=False)


def store(cells: Cells, offset: int, node: KeyNode) -> None:
    """Writes a key node's fields; the name after them stays."""
    position, _ = cells.find(offset, "key node", LAYOUT.size)
    cells.write(position, LAYOUT.pack(*node))


def new(parent: int, security: int, when: int, name: str) -> tuple[KeyNode, bytes]:
    """The node of a key without values and subkeys, and the bytes of its name."""
    raw, compressed = names.encode(name)
    flags = COMP_NAME if compressed else 0
    empty = {"access_bits": 0, "subkey_count": 0, "volatile_count": 0, "value_count": 0, "max_subkey_name": 0}
    largest = {"virtualization": 0, "debug": 0, "max_subkey_class": 0, "max_value_name": 0, "max_value_data": 0}
    lists = {"subkey_list": NIL, "volatile_list": NIL, "value_list": NIL, "class_name": NIL}
    node = KeyNode(
        signature=b"nk",
        flags=flags,
        last_written=when,
        parent=parent,
        security=security,
        work_var=0,
        name_length=len(raw),
        class_length=0,
        **empty,
        **largest,
        **lists,
    )
    return node, raw
