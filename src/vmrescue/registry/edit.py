"""Makes, changes and removes keys and values in the cells of a hive.

Every method leaves the hive as Windows would: counts, largest-name fields, sorted lists, shared descriptors, and the
last-written time of the key it touches. All of them run inside `Cells.editing`, which undoes one that fails.
"""

from __future__ import annotations

import struct
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from vmrescue.errors import FormatError, RefusedError, UsageError
from vmrescue.registry import key_node, key_value, names, security, subkey_edit, subkey_list
from vmrescue.registry.cells import BINS, NIL
from vmrescue.registry.key_node import INHERIT_VIRTUALIZATION
from vmrescue.registry.space import Space

if TYPE_CHECKING:
    from vmrescue.registry.cells import Cells
    from vmrescue.registry.key_node import KeyNode
    from vmrescue.registry.key_value import KeyValue
    from vmrescue.registry.value_names import ValueNames


class Editor:
    """Edits the keys of a hive. Keys are given by their cells' offsets, times as 100 ns since 1601.

    Args:
        root: the root key; NIL if there is none yet.
    """

    def __init__(self, cells: Cells, root: int, minor: int, value_names: ValueNames) -> None:
        self._cells = cells
        self._root = root
        self._minor = minor
        self._value_names = value_names
        self._space = Space(cells)
        self._users: Counter[int] | None = None  # key security cell -> number of keys; counted when first needed

    def create_root(self, name: str, when: int) -> int:
        """Makes the root key of an empty hive, with a security descriptor of its own. Returns its cell."""
        node, raw = key_node.new(parent=0, security=NIL, when=when, name=name)
        offset = self._new_cell(key_node.LAYOUT.pack(*node) + raw, near=0)
        ring = security.new_ring(self._cells, self._space, security.default_descriptor())
        flags = node.flags | key_node.HIVE_ENTRY | key_node.NO_DELETE
        key_node.store(self._cells, offset, node._replace(flags=flags, security=ring))
        return offset

    def create_subkey(self, parent: int, name: str, when: int, class_name: str = "") -> int:
        """Makes a key below `parent`, with the security descriptor of `parent`. Returns its cell."""
        names.check_key_name(name)
        above = key_node.read(self._cells, parent)
        node, raw = key_node.new(parent, above.security, when, name)
        if above.virtualization & INHERIT_VIRTUALIZATION:
            node = node._replace(virtualization=above.virtualization & 0xF)
        offset = self._new_cell(key_node.LAYOUT.pack(*node) + raw, near=parent)
        security.retain(self._cells, above.security, partial(self._users_of, above.security))
        if self._users is not None:
            self._users[above.security] += 1
        if class_name:
            text = names.utf16(class_name)
            node = node._replace(class_name=self._new_cell(text, near=offset), class_length=len(text))
            key_node.store(self._cells, offset, node)
        self._link(parent, above, offset, name, when, len(names.utf16(class_name)))
        return offset

    def delete_tree(self, offset: int, when: int) -> None:
        """Removes a key with all that is below it."""
        self._value_names.forget()
        node = key_node.read(self._cells, offset)
        cells, descriptors = self._cells_below(offset)
        self._unlink(offset, node, when)
        for cell in cells:
            self._space.free(cell)
        if self._users is not None:
            self._users.subtract(descriptors)
        for descriptor, keys in Counter(descriptors).items():
            security.release(self._cells, self._space, descriptor, keys, partial(self._users_of, descriptor))

    def rename(self, offset: int, name: str, when: int) -> None:
        """Gives a key another name."""
        names.check_key_name(name)
        self._value_names.forget()
        node = key_node.read(self._cells, offset)
        above = key_node.read(self._cells, node.parent)
        holder = subkey_list.find(self._cells, above.subkey_list, name)
        if holder not in (None, offset):
            raise UsageError(f"there is a key {name!r} already")
        self._unlink(offset, node, when)
        raw, compressed = names.encode(name)
        flags = (node.flags & ~key_node.COMP_NAME) | (key_node.COMP_NAME if compressed else 0)
        moved = self._space.resize(offset, key_node.LAYOUT.size + len(raw), near=node.parent)
        node = node._replace(flags=flags, name_length=len(raw), last_written=when)
        self._cells.fill(moved, key_node.LAYOUT.pack(*node) + raw)
        if moved != offset:
            self._adopt(moved, node)
        above = key_node.read(self._cells, node.parent)
        self._link(node.parent, above, moved, name, when, node.class_length)

    def set_value(self, key: int, name: str, kind: int, raw: bytes, when: int) -> None:
        """Sets a value, new or not. An existing value keeps the case of its name."""
        names.check_value_name(name)
        if len(raw) > key_value.MOST_DATA:
            raise UsageError(f"a value holds at most {key_value.MOST_DATA} bytes, not {len(raw)}")
        node = self._with_values(key)
        offset = self._value_names.find(key, node, name)
        if offset is None:
            offset, value = key_value.new(self._cells, self._space, key, name)
            node = self._append(key, node, offset)
            self._value_names.add(name, offset)
        else:
            value = key_value.read(self._cells, offset)
        size, data = self._replace_data(value, offset, raw)
        flags = value.flags & key_value.COMP_NAME
        key_value.store(self._cells, offset, value._replace(stored_size=size, data=data, type=kind, flags=flags))
        largest_name = max(node.max_value_name, names.length(name))
        largest_data = max(node.max_value_data, len(raw))
        node = node._replace(max_value_name=largest_name, max_value_data=largest_data, last_written=when)
        key_node.store(self._cells, key, node)

    def delete_value(self, key: int, name: str, when: int) -> bool:
        """Removes a value; False where there is none of that name."""
        node = self._with_values(key)
        offset = self._value_names.find(key, node, name)
        if offset is None:
            return False
        value = key_value.read(self._cells, offset)
        for cell in [*key_value.data_cells(self._cells, value), offset]:
            self._space.free(cell)
        node = self._without(node, offset)
        self._value_names.remove(node, name)
        key_node.store(self._cells, key, node._replace(last_written=when))
        return True

    def set_flags(self, key: int, flags: int) -> None:
        """Sets these flags of a key, besides those that it has."""
        node = key_node.read(self._cells, key)
        key_node.store(self._cells, key, node._replace(flags=node.flags | flags))

    # keys

    def _link(self, parent: int, above: KeyNode, key: int, name: str, when: int, class_length: int) -> None:
        subkeys = above.subkey_list if above.subkey_count else NIL
        found = subkey_edit.insert(self._cells, self._space, subkeys, key, name, self._minor)
        above = above._replace(
            subkey_count=above.subkey_count + 1,
            subkey_list=found,
            max_subkey_name=max(above.max_subkey_name, names.length(name)),
            max_subkey_class=max(above.max_subkey_class, class_length),
            last_written=when,
        )
        key_node.store(self._cells, parent, above)

    def _unlink(self, key: int, node: KeyNode, when: int) -> None:
        above = key_node.read(self._cells, node.parent)
        name = key_node.read_name(self._cells, key, node)
        found = subkey_edit.remove(self._cells, self._space, above.subkey_list, key, name)
        above = above._replace(subkey_count=above.subkey_count - 1, subkey_list=found, last_written=when)
        if found == NIL:
            above = above._replace(subkey_count=0, max_subkey_name=0, max_subkey_class=0)
        key_node.store(self._cells, node.parent, above)

    def _adopt(self, key: int, node: KeyNode) -> None:
        """Writes a moved key's new cell into its subkeys, as their parent."""
        for subkey in self._subkeys(node):
            key_node.store(self._cells, subkey, key_node.read(self._cells, subkey)._replace(parent=key))

    def _subkeys(self, node: KeyNode) -> list[int]:
        return subkey_list.read_offsets(self._cells, node.subkey_list) if node.subkey_count else []

    def _users_of(self, descriptor: int) -> int:
        """How many keys refer to a descriptor. The first call goes through all keys."""
        if self._users is None:
            found: Counter[int] = Counter()
            seen: set[int] = set()
            waiting = [self._root]
            while waiting:
                key = waiting.pop()
                if key in seen:
                    raise FormatError("key node", BINS + key, "a key in one list", "one in two")
                seen.add(key)
                node = key_node.read(self._cells, key)
                found[node.security] += 1
                waiting += self._subkeys(node)
            self._users = found
        return self._users[descriptor]

    def _cells_below(self, top: int) -> tuple[list[int], list[int]]:
        """All cells that a key and the keys below it own, and the descriptors that they share with others."""
        cells, descriptors = [], []
        waiting = [top]
        while waiting:
            key = waiting.pop()
            node = key_node.read(self._cells, key)
            if node.flags & key_node.NO_DELETE:
                raise RefusedError(f"the key {key_node.read_name(self._cells, key, node)!r} is marked as not deletable")
            cells += [key, *self._own_cells(node)]
            descriptors.append(node.security)
            for subkey in self._subkeys(node):
                parent = key_node.read(self._cells, subkey).parent
                if parent != key:
                    raise FormatError("key node", BINS + subkey + 20, f"the parent 0x{key:x}", f"0x{parent:x}")
                waiting.append(subkey)
        return cells, descriptors

    def _own_cells(self, node: KeyNode) -> list[int]:
        cells = []
        if node.class_name != NIL and node.class_length:
            cells.append(node.class_name)
        if node.subkey_count:
            cells += subkey_list.list_cells(self._cells, node.subkey_list)
        values = key_value.list_values(self._cells, node)
        if values:
            cells.append(node.value_list)
        for value in values:
            cells += [value, *key_value.data_cells(self._cells, key_value.read(self._cells, value))]
        return cells

    # values

    def _with_values(self, key: int) -> KeyNode:
        node = key_node.read(self._cells, key)
        if node.flags & key_node.PREDEF_HANDLE:
            raise RefusedError("the key stands for a predefined handle and can hold no values")
        return node

    def _append(self, key: int, node: KeyNode, value: int) -> KeyNode:
        """Adds a value to the end of a key's list."""
        count = node.value_count
        entry = struct.pack("<I", value)
        if not count:
            return node._replace(value_count=1, value_list=self._new_cell(entry, near=key))
        offset = node.value_list
        if 4 * (count + 1) > self._cells.find(offset, "value list")[1]:
            # Spare room, so that a list that grows value by value is not moved each time.
            offset = self._space.resize(offset, 4 * (count + 1) + count // 2, near=key)
        position, _ = self._cells.find(offset, "value list", 4 * (count + 1))
        self._cells.write(position + 4 * count, entry)
        return node._replace(value_count=count + 1, value_list=offset)

    def _without(self, node: KeyNode, value: int) -> KeyNode:
        """Takes a value out of a key's list."""
        left = [offset for offset in key_value.list_values(self._cells, node) if offset != value]
        if left:
            self._cells.fill(node.value_list, struct.pack(f"<{len(left)}I", *left))
            return node._replace(value_count=len(left))
        self._space.free(node.value_list)
        return node._replace(value_count=0, value_list=NIL, max_value_name=0, max_value_data=0)

    def _replace_data(self, value: KeyValue, near: int, raw: bytes) -> tuple[int, int]:
        """Replaces a value's data, in the same cell if it fits. Returns the fields (stored size, data)."""
        old = key_value.data_cells(self._cells, value)
        room = self._cells.find(old[0], "value data")[1] if len(old) == 1 else 0
        if key_value.INLINE_MOST < len(raw) <= min(room, key_value.SEGMENT):
            self._cells.fill(old[0], raw)
            return len(raw), old[0]
        stored = key_value.store_data(self._cells, self._space, near, raw, self._minor)
        for cell in old:
            self._space.free(cell)
        return stored

    def _new_cell(self, content: bytes, near: int) -> int:
        offset = self._space.allocate(len(content), near)
        self._cells.fill(offset, content)
        return offset
