"""The check of a hive, by the rules of Windows' own validation and of the format's description.

Every used cell must belong to exactly one structure that is reachable from the root key, and the counts, sizes and
links of every structure must be right. Source: M. Suhanov, "Windows registry file format specification". How much each
breach of a rule weighs was found with Microsoft's own checker: docs/hive-check.md.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from contextlib import contextmanager
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from vmrescue.errors import FormatError, place_text
from vmrescue.progress import work
from vmrescue.registry import key_node, key_value, names, security, subkey_list
from vmrescue.registry.cells import BINS, NIL, Cells
from vmrescue.registry.file_bytes import FileBytes
from vmrescue.registry.key import LINK_VALUE
from vmrescue.registry.plain import FREE, OWNED, USED, Marks, PlainCells, sizes_of
from vmrescue.registry.space import BIN_HEADER, bin_size
from vmrescue.registry.subkey_edit import Leaf
from vmrescue.units import counted
from vmrescue.upcase import upper

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.registry.key_node import KeyNode
    from vmrescue.registry.key_value import KeyValue


# What was found in the last hives, by their bytes: a repair asks of the same ones when it is promised, tried and made.
_KNOWN: dict[tuple[bytes, int, int, bool], tuple[Problem, ...]] = {}
MOST_KNOWN, MOST_PROBLEMS = 8, 1000
NAME = "key's name"  # `Problem.structure` of a wrong name


class Weight(IntEnum):
    """How serious a problem is."""

    NOTE = 0  # Windows has no objection
    FLAW = 1  # Windows' checker repairs it; our edits do not depend on it and do not make it worse
    DAMAGE = 2  # the hive is not edited


class Problem(NamedTuple):
    """What is wrong, and where: the first byte of a bin or a cell, counted from the start of the hive's file."""

    position: int
    structure: str
    text: str
    weight: Weight = Weight.DAMAGE

    def __str__(self) -> str:
        return f"{self.structure}{place_text(self.position)}: {self.text}"


def check(cells: Cells, root: int, minor: int, *, layered: bool = False) -> list[Problem]:
    """All problems of the cells of a hive of version 1.`minor` whose root key is in the cell `root`.

    `layered`: its base block says that it lies over another hive, so its keys and values may hide some of that hive's.
    """
    whole = cells.data.peek(0, BINS + cells.bins_size)
    asked = (hashlib.sha256(memoryview(whole)[BINS:]).digest(), root, minor, layered)
    known = _KNOWN.pop(asked, None)
    if known is None:
        checker = _Checker(Cells(FileBytes(whole), cells.bins_size), whole, minor, layered)
        with work("checking the cells of a hive"):
            checker.bins()
            checker.keys(root)
            checker.descriptors()
            checker.lost_cells()
        known = tuple(checker.problems)
    if len(known) <= MOST_PROBLEMS:
        _KNOWN[asked] = known
    if len(_KNOWN) > MOST_KNOWN:
        del _KNOWN[next(iter(_KNOWN))]
    return list(known)


class _Checker:
    def __init__(self, cells: Cells, whole: bytes, minor: int, layered: bool) -> None:
        self._cells = cells
        self._minor = minor
        self._layered = layered
        self.problems: list[Problem] = []
        self._whole = whole
        self._raw = memoryview(whole)[BINS:]
        self._sizes = sizes_of(self._raw)
        self._marks = Marks(cells.bins_size)
        self._descriptors: Counter[int] = Counter()  # key security cell -> number of keys that refer to it
        self._plain = None if layered else PlainCells(whole, self._marks, minor, self._descriptors)

    def bins(self) -> None:
        """Checks that bins follow each other without gaps, and so do the cells in each bin."""
        offset = 0
        while offset < self._cells.bins_size:
            try:
                size = bin_size(self._raw, offset, offset, len(self._raw))
            except FormatError as error:
                self._note(error)
                return
            self._cells_of_bin(offset + BIN_HEADER.size, offset + size)
            offset += size

    def _cells_of_bin(self, offset: int, end: int) -> None:
        sizes, states = self._sizes, self._marks.states
        start = place = offset >> 3
        last = end >> 3
        while place < last:
            start, size = place, sizes[place]
            if size < 0:
                states[place] = USED
                place -= size >> 3
            else:
                place += size >> 3
            if size & 7 or not size:
                break
        else:
            if place == last:
                return
        states[start] = FREE
        left = end - (start << 3)
        self._report(start << 3, "cell", f"has the size {sizes[start]}; {left} bytes are left in its bin")

    def keys(self, root: int) -> None:
        """Checks the tree of keys, from the root down."""
        if not self._own(root, "base block", -BINS):
            return
        waiting: list[int] = []  # keys of which all but the list of subkeys is examined
        self._key(root, waiting, is_root=True)
        while waiting:
            key = waiting.pop()
            subkeys = self._plain.subkeys(key) if self._plain else None
            if self._plain and subkeys is not None:
                for odd in self._plain.odd(subkeys, waiting):
                    self._key(odd, waiting)
                continue
            with self._noting():
                for subkey in self._subkeys(key):
                    self._key(subkey, waiting)

    def _key(self, key: int, waiting: list[int], *, is_root: bool = False) -> None:
        """Checks all of a key but its list of subkeys; unless it cannot be read, it is then added to `waiting`."""
        with self._noting():
            node = key_node.read(self._cells, key)
            self._flags(key, node, is_root)
            self._name(key, node, is_root)
            if self._plain and not list(self._plain.odd([key], waiting)):
                return
            self._descriptors[node.security] += 1
            self._class(key, node)
            self._values(key, node)
            waiting.append(key)

    def _flags(self, key: int, node: KeyNode, is_root: bool) -> None:
        """A root key without a root key's flag is a note; any other key with that flag is damage."""
        flags = node.flags
        if is_root and not flags & key_node.HIVE_ENTRY:
            self._report(key, "key node", f"has the flags 0x{flags:x}, without a root key's", Weight.NOTE)
        if is_root and flags & (key_node.SYM_LINK | key_node.PREDEF_HANDLE):
            self._report(key, "key node", f"has the flags 0x{flags:x}, which no root key has")
        if not is_root and flags & key_node.HIVE_ENTRY:
            self._report(key, "key node", f"has the flags 0x{flags:x}, a root key's")
        wrong = key_node.HIVE_EXIT if is_root else key_node.HIVE_EXIT | key_node.NO_DELETE | key_node.PREDEF_HANDLE
        if flags & wrong:
            self._report(key, "key node", f"has the flags 0x{flags:x}, with 0x{flags & wrong:x}", Weight.FLAW)
        if why := self._wrong_layer(node, is_root):
            self._report(key, "key node", f"has the access bits 0x{node.access_bits:x}, {why}", Weight.FLAW)

    def _wrong_layer(self, node: KeyNode, is_root: bool) -> str | None:
        """What is wrong with the layer bits of a key; None if nothing. Source: what Microsoft's checker repairs."""
        layer = node.access_bits & key_node.LAYER
        if layer and not self._layered:
            return "a layered key's, in a hive that is no layer"
        if layer & key_node.HIDES and is_root:
            return "which no root key has"
        if layer == key_node.HIDES and (node.subkey_count or node.has_values):
            return "of a key that is hidden, and has something"
        return None

    def _name(self, key: int, node: KeyNode, is_root: bool) -> None:
        name = key_node.read_name(self._cells, key, node)
        if names.is_no_keys(name):
            weight = Weight.DAMAGE if is_root else Weight.FLAW
            self._report(key, NAME, f"is {name!r}, which no key is called", weight)

    def _class(self, key: int, node: KeyNode) -> None:
        if (node.class_name == NIL) != (not node.class_length):
            text = f"has a class name of {counted(node.class_length, 'byte')}{_place(node.class_name)}"
            self._report(key, "key node", text, Weight.FLAW)
        if node.class_name == NIL or not node.class_length:
            return
        if self._own(node.class_name, "key node", key):
            self._cells.find(node.class_name, "class name", node.class_length)

    def _values(self, key: int, node: KeyNode) -> None:
        if not node.value_count and node.value_list != NIL:
            text = f"has a value list{_place(node.value_list)}, and no values"
            self._report(key, "key node", text, Weight.FLAW)
        if not node.has_values or not self._own(node.value_list, "key node", key):
            return
        found: set[str] = set()
        longest_name = most_data = 0
        for offset in key_value.list_values(self._cells, node):
            if not self._own(offset, "value list", node.value_list):
                continue
            try:
                value = key_value.read(self._cells, offset)
                name = key_value.read_name(self._cells, offset, value)
                folded = upper(name)
                if folded in found:
                    text = f"bears the name {name!r}, as another value of the key does"
                    self._report(offset, "key value", text, Weight.NOTE)
                self._value(offset, value)
                if node.flags & key_node.SYM_LINK and folded != upper(LINK_VALUE):
                    text = f"bears the name {name!r}, in a key that is a symbolic link"
                    self._report(offset, "key value", text, Weight.FLAW)
                found.add(folded)
                longest_name = max(longest_name, names.length(name))
                most_data = max(most_data, value.size)
                self._data(offset, value)
            except FormatError as error:
                self._note(error)
        self._largest(key, "value name", node.max_value_name, longest_name)
        self._largest(key, "value data", node.max_value_data, most_data)

    def _value(self, offset: int, value: KeyValue) -> None:
        is_empty = not value.stored_size and value.data == NIL and not value.type
        if value.flags & key_value.TOMBSTONE and not (self._layered and is_empty):
            text = f"has the flags 0x{value.flags:x}, with a layered value's"
            self._report(offset, "key value", text, Weight.FLAW)
        if value.name_length & 1 and not value.flags & key_value.COMP_NAME:
            text = f"has a name of {counted(value.name_length, 'byte')} in UTF-16"
            self._report(offset, "key value", text, Weight.FLAW)
        if not value.stored_size and value.data != NIL:
            text = f"has no data, but a cell for it{_place(value.data)}"
            self._report(offset, "key value", text, Weight.FLAW)

    def _data(self, offset: int, value: KeyValue) -> None:
        cells = key_value.data_cells(self._cells, value)
        owned = [self._own(cell, "key value", offset) for cell in cells]
        if all(owned) and len(owned) != 1:  # a single cell is known to hold all of the data
            key_value.read_data(self._cells, offset, value)
        should_be_big = value.size > key_value.SEGMENT and self._minor >= key_value.BIG_DATA_MINOR
        if (len(cells) > 1) != should_be_big:
            form = "big data" if len(cells) > 1 else "one cell"
            self._report(
                offset, "key value", f"has its {counted(value.size, 'byte')} as {form} in version 1.{self._minor}"
            )

    def _subkeys(self, key: int) -> list[int]:
        """Checks the list of a key's subkeys; returns those that belong to no other list."""
        node = key_node.read(self._cells, key)
        if not node.subkey_count:
            return []
        own: list[int] = []
        count, last, longest, longest_class = 0, b"", 0, 0
        for leaf in self._leaves(key, node):
            for subkey, hint in zip(leaf.keys, leaf.hints, strict=True):
                count += 1
                if not self._own(subkey, "subkey list", leaf.offset):
                    continue
                try:
                    below = self._subkey(key, node, subkey)
                    name = key_node.read_name(self._cells, subkey, below)
                    self._hint(leaf, name, hint)
                    order = names.order(name)
                    if order <= last:
                        self._report(leaf.offset, "subkey list", f"has {name!r} after a name that sorts behind it")
                    last = order
                    longest = max(longest, names.length(name))
                    longest_class = max(longest_class, below.class_length)
                    own.append(subkey)
                except FormatError as error:
                    self._note(error)
        if count != node.subkey_count:
            self._report(key, "key node", f"counts {counted(node.subkey_count, 'subkey')}; its list has {count}")
        self._largest(key, "subkey name", node.max_subkey_name, longest)
        self._largest(key, "subkey class", node.max_subkey_class, longest_class)
        return own

    def _leaves(self, key: int, node: KeyNode) -> Iterator[Leaf]:
        if not self._own(node.subkey_list, "key node", key):
            return
        is_split = subkey_list.header(self._cells, node.subkey_list)[0] == b"ri"
        for offset in subkey_list.read_root(self._cells, node.subkey_list) if is_split else [node.subkey_list]:
            if is_split and not self._own(offset, "subkey list", node.subkey_list):
                continue
            with self._noting():
                leaf = Leaf.read(self._cells, offset)
                if not leaf.keys:
                    self._report(offset, "subkey list", "has no entries")
                yield leaf

    def _subkey(self, key: int, above: KeyNode, subkey: int) -> KeyNode:
        node = key_node.read(self._cells, subkey)
        if node.parent != key:
            self._report(
                subkey, "key node", f"has the parent{_place(node.parent)}, but is in the list of that{_place(key)}"
            )
        replaces = self._layered and above.access_bits & key_node.LAYER == key_node.LAYER
        if replaces and not node.access_bits & key_node.HIDES:
            text = f"has the access bits 0x{node.access_bits:x}, below a key that replaces all that it hides"
            self._report(subkey, "key node", text, Weight.FLAW)
        return node

    def _hint(self, leaf: Leaf, name: str, hint: int) -> None:
        if leaf.signature == b"lh" and hint != names.name_hash(name):
            expected = f"0x{names.name_hash(name):08x}"
            self._report(leaf.offset, "subkey list", f"has the hash 0x{hint:08x} for {name!r}, not {expected}")
        if leaf.signature == b"lf" and hint != names.name_hint(name) and (hint & 0xFF or name[:4].isascii()):
            expected = f"0x{names.name_hint(name):08x}"
            weight = Weight.DAMAGE if hint & 0xFF else Weight.FLAW
            self._report(leaf.offset, "subkey list", f"has the hint 0x{hint:08x} for {name!r}, not {expected}", weight)

    def _largest(self, key: int, what: str, stated: int, found: int) -> None:
        """Windows sizes buffers by the "largest" fields: too large is harmless and common, too small is damage."""
        if stated < found:
            self._report(key, "key node", f"gives its largest {what} as {counted(stated, 'byte')}; one has {found}")

    def descriptors(self) -> None:
        """Checks that the ring of security descriptors has all of them, linked both ways, with right counts."""
        if not self._descriptors:
            return
        first = offset = next(iter(self._descriptors))
        ring: set[int] = set()
        while offset not in ring:
            if not self._own(offset, "key security", first):
                return
            ring.add(offset)
            with self._noting():
                offset = self._descriptor(offset)
        if offset != first:
            self._report(offset, "key security", "is where the ring closes, though it does not begin there")
        for lost in sorted(self._descriptors.keys() - ring):
            self._report(lost, "key security", "is not in the ring of all descriptors")

    def _descriptor(self, offset: int) -> int:
        """Checks one descriptor; returns the offset of the next one in the ring."""
        here = security.read(self._cells, offset)
        if here.references != self._descriptors[offset]:
            text = f"counts the keys that have it as {here.references}, not {self._descriptors[offset]}"
            self._report(offset, "key security", text, Weight.NOTE)
        back = security.read(self._cells, here.next).previous
        if back != offset:
            self._report(
                here.next, "key security", f"has the one{_place(back)} before it in the ring, not that{_place(offset)}"
            )
        raw = security.descriptor(self._cells, offset)
        if fault := security.fault(raw):
            known = raw[:1] == security.REVISION  # Windows accepts no other revision
            self._report(offset, "key security", fault, Weight.NOTE if known else Weight.DAMAGE)
        return here.next

    def lost_cells(self) -> None:
        """Notes cells in use that no reachable structure owns: lost space, which does no harm.

        Lost key nodes are not noted: Windows 10 itself leaves one behind when it renames a key. If a key was really
        lost, its parent's count of subkeys and its descriptor's count of keys are wrong, and its other cells are lost.
        """
        for offset in self._marks.lost():
            if not self._whole.startswith(b"nk", BINS + offset + 4):
                self._report(offset, "cell", "is in use, but belongs to nothing", Weight.NOTE)

    def _own(self, offset: int, structure: str, holder: int) -> bool:
        """Notes that something has a cell for itself; False where it may not."""
        if self._marks.take(offset):
            return True
        taken = self._marks.state(offset) == OWNED
        why = "which belongs to something else already" if taken else "where no used cell begins"
        self._report(holder, structure, f"refers to a cell{_place(offset)}, {why}")
        return False

    @contextmanager
    def _noting(self) -> Iterator[None]:
        """Turns a parse error inside the block into a problem; what lies below that structure is not checked."""
        try:
            yield
        except FormatError as error:
            self._note(error)

    def _note(self, error: FormatError) -> None:
        self._report((error.position or BINS) - BINS, error.structure, str(error).split(": ", 1)[1])

    def _report(self, offset: int, structure: str, text: str, weight: Weight = Weight.DAMAGE) -> None:
        self.problems.append(Problem(BINS + offset, structure, text, weight))


def _place(cell: int) -> str:
    """Where a cell is, behind its name; a structure that refers to it counts from the first bin."""
    return " nowhere" if cell == NIL else place_text(BINS + cell)
