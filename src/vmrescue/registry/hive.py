"""A hive: opened from bytes or from a device, read and edited by paths, and returned as bytes or changed pages."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from vmrescue.arguments import typed
from vmrescue.errors import RefusedError, UsageError
from vmrescue.log import logger
from vmrescue.printable import quoted
from vmrescue.registry import base_block, filetime, links, value_type
from vmrescue.registry import path as key_path
from vmrescue.registry.base_block import BaseBlock
from vmrescue.registry.cells import BINS, NIL, PAGE, Cells
from vmrescue.registry.check import Problem, Weight, check
from vmrescue.registry.edit import Editor
from vmrescue.registry.errors import KeyNotFound
from vmrescue.registry.file_bytes import FileBytes
from vmrescue.registry.key import LINK_VALUE, MAX_DEPTH, Key
from vmrescue.registry.key_node import SYM_LINK
from vmrescue.registry.mounts import NOWHERE, Mount
from vmrescue.registry.recovery import next_sequence, recover
from vmrescue.registry.space import BIN, BIN_HEADER
from vmrescue.registry.state import Unreplayed, hive_state, layer_notes
from vmrescue.registry.value_names import ValueNames
from vmrescue.registry.value_type import ValueType
from vmrescue.upcase import upper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from vmrescue.device import Readable
    from vmrescue.registry.key import Value
    from vmrescue.registry.recovery import Recovered
    from vmrescue.registry.state import HiveState
    from vmrescue.registry.value_type import Data

LOG = logger("registry")
MOST_KNOWN = 256  # keys
DEFAULT_MINOR = 5  # hash leaves and big data, since Windows XP


@typed
class Hive:
    """A hive; only the parts that were read are in memory.

    Paths are names joined by backslashes, from below the root key; the root key itself is "". `registry.path` says how
    they are written. Letters' case does not matter. Symbolic links on the way to a key are followed, as Windows does. A
    link at the end of a path is the link itself; but values other than the link's own are read and set in the key that
    it leads to (`links`). An edit that raises leaves the hive as it was.

    The logs of a dirty hive are replayed first, in memory: `recovered` then says which, and `to_bytes` gives the clean
    hive. If no log can be replayed, the hive can be read as it is, but not edited, and `unreplayed` says why.
    `dirty_before` is the state of the input.

    Args:
        data: the hive's file, or what it is read from as it is needed.
        logs: its transaction logs: LOG1 and LOG2, or the single LOG.
        name: what messages call it.
        mount: where Windows mounts it (`mounts.mount_of`); with `NOWHERE`, every symbolic link leads out of the hive.
        clock: gives the last-written times of edits.

    Raises:
        FormatError: the bytes are not a hive's.
        UnsupportedError: the hive's version is not 1.3 to 1.6.
    """

    def __init__(
        self,
        data: bytes | bytearray | Readable | FileBytes,
        logs: Sequence[bytes] = (),
        *,
        name: str = "the hive",
        mount: Mount = NOWHERE,
        clock: Callable[[], datetime] = filetime.now,
    ) -> None:
        self.mount = mount
        self._name = name
        file = data if isinstance(data, FileBytes) else FileBytes(bytes(data) if isinstance(data, bytearray) else data)
        self._input: bytes | None = None  # the file before its logs were replayed, if they were
        self._logs = logs
        self._clock = clock
        self.dirty_before: HiveState = hive_state(file[: base_block.SECTOR])
        self.recovered: Recovered | None = None
        self.unreplayed: Unreplayed | None = None
        if self.dirty_before.dirty:
            try:
                self._input = file[: len(file)]
                whole, self.recovered = recover(self._input, logs)
                file = FileBytes(whole)
                self._logs = ()  # the hive's number is above theirs now
                LOG.info("%s: %s: read with its transaction logs replayed, in memory", name, self.dirty_before)
            except RefusedError as error:
                self.unreplayed = Unreplayed(name, self.dirty_before, str(error))
        self._base = BaseBlock.parse(file[: base_block.SECTOR])
        self._base.check_readable()
        self._editor: Editor | None = None
        self._edited_at = 0  # 100 ns since 1601; the last edit
        self._sequence = 0  # the sequence number of the edits, which together count as one write
        self.edition = 0  # raised by every edit; keys and values that were read before are then read again
        self.key_edition = 0  # raised by every edit after which a key may lie elsewhere, or a path lead elsewhere
        self._known: dict[tuple[str, bool], Key] = {}  # by path, and whether a link at its end is followed
        self._known_at = 0  # the edition of the keys that are known
        self.cells = Cells(file, self._base.bins_size)
        self.value_names = ValueNames(self.cells)
        self.root_offset = self._base.root
        self.root = Key(self, self.root_offset, None)

    @classmethod
    def create(cls, name: str, *, minor: int = DEFAULT_MINOR, clock: Callable[[], datetime] = filetime.now) -> Hive:
        """A new hive of version 1.`minor` with an empty root key; `name` is the file's name for its base block."""
        when = filetime.from_datetime(clock())
        data = bytearray(BINS + PAGE)
        data[BINS : BINS + BIN_HEADER.size] = BIN_HEADER.pack(BIN, 0, PAGE, when, 0)
        data[BINS + 32 : BINS + 36] = (PAGE - BIN_HEADER.size).to_bytes(4, "little")
        cells = Cells(FileBytes(bytes(data)), PAGE)
        with cells.editing():
            root = Editor(cells, NIL, minor, ValueNames(cells)).create_root(name, when)
        cells.data.write(0, base_block.new(root, PAGE, minor, name, when))
        return cls(cells.data[: len(cells.data)], clock=clock)

    # reading

    def notes(self) -> list[str]:
        """Sentences that a user who reads the hive must see."""
        return [*([self.unreplayed.note] if self.unreplayed else []), *layer_notes(self._name, self._base)]

    def key(self, path: str) -> Key:
        """The key at `path`, which may be a link. Raises KeyNotFound, which names the missing part, and LinkError."""
        return self._found(*self._walk(path, through=False))

    def open_key(self, path: str) -> Key:
        """The key that opening `path` gives: a link at its end is followed too. Raises KeyNotFound, LinkError."""
        return self._found(*self._walk(path, through=True))

    def value(self, path: str, name: str) -> Value:
        """A value of the key at `path`. Raises KeyNotFound, ValueNotFound, LinkError."""
        return self.holder(path, name).value(name)

    def holder(self, path: str, name: str) -> Key:
        """The key in which the value `name` of `path` is, or would be, stored. Raises KeyNotFound, LinkError."""
        return self.key(path) if links.belongs_to_link(name) else self.open_key(path)

    def place(self, path: str, value_name: str | None = None) -> str:
        """The stored path of a key, whether it exists or not: its path with the links on it followed.

        With `value_name`, the path of the key in which that value is, or would be, stored. Raises LinkError.
        """
        through = value_name is not None and not links.belongs_to_link(value_name)
        key, missing = self._walk(path, through=through)
        return key_path.join([*key_path.split(key.path), *missing])

    def _walk(self, path: str, *, through: bool) -> tuple[Key, list[str]]:
        """`links.walk`, remembered for a key to which no link led: edits of values leave it where it is."""
        if self._known_at != self.key_edition:
            self._known_at = self.key_edition
            self._known.clear()
        known = self._known.get((path, through))
        if known is not None:
            return known, []
        key, missing = links.walk(self.root, self.mount, path, through=through)
        if not missing and upper(key.path) == upper(path):
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[path, through] = key
        return key, missing

    def _found(self, key: Key, missing: list[str]) -> Key:
        if missing:
            raise KeyNotFound(missing[0], key.path)
        return key

    def find(self, path: str) -> int:
        """The cell of the key stored at `path`; no link is followed. Raises KeyNotFound."""
        key = self.root
        for part in key_path.split(path):
            below = key.subkey(part)
            if below is None:
                raise KeyNotFound(part, key.path)
            key = below
        return key._offset

    def walk(self, path: str = "") -> Iterator[Key]:
        """A key and all keys below it, parents first, sorted as Windows sorts them. No link is followed."""
        waiting = [self.key(path)]
        while waiting:
            key = waiting.pop()
            yield key
            waiting += reversed(key.subkeys())

    def check(self) -> list[Problem]:
        """All problems of the hive, edits included; a sound hive has only notes."""
        problems = check(self.cells, self.root_offset, self._base.minor, layered=self._base.is_layered)
        if self.unreplayed:
            weight = Weight.DAMAGE if self.dirty_before.is_torn else Weight.FLAW
            problems.insert(0, Problem(0, "base block", self.dirty_before.reason, weight))
        return problems

    @property
    def sequence(self) -> int:
        """The sequence number of the last write to the hive, edits included."""
        return self._sequence or self._base.primary

    # editing

    def create_key(self, path: str, class_name: str = "") -> Key:
        """The key at `path`; it and keys above it are created if they are missing. `class_name` is for a new key."""
        key, missing = self._walk(path, through=False)
        if key.depth + len(missing) > MAX_DEPTH:
            raise UsageError(f"a key lies at most {MAX_DEPTH} levels deep")
        if missing:
            offsets = [key.offset]
            with self._editing() as (editor, when):
                for number, part in enumerate(missing, 1):
                    last = number == len(missing)
                    offsets.append(editor.create_subkey(offsets[-1], part, when, class_name if last else ""))
            for offset in offsets[1:]:
                key = Key(self, offset, key)
        return key

    def create_link(self, path: str, target: str) -> Key:
        """A new symbolic link to `target`, a path of the kernel such as `\\Registry\\Machine\\Software`."""
        key = self.create_key(path)
        with self._editing() as (editor, when):
            editor.set_flags(key._offset, SYM_LINK)
            raw = value_type.encode(ValueType.LINK, target)
            editor.set_value(key._offset, LINK_VALUE, ValueType.LINK, raw, when)
        return key

    def delete_key(self, path: str, *, recursive: bool = False) -> None:
        """Removes a key. Raises RefusedError for the root key, and for a key with subkeys unless `recursive`."""
        key = self.key(path)
        if key.offset == self.root_offset:
            raise RefusedError("the root key of a hive cannot be deleted")
        if key.node.subkey_count and not recursive:
            raise RefusedError(f"the key {quoted(key.path)} has subkeys")
        with self._editing() as (editor, when):
            editor.delete_tree(key._offset, when)

    def rename_key(self, path: str, name: str) -> Key:
        """Renames the key at `path`; its parent stays the same. Raises UsageError if the name is taken."""
        key = self.key(path)
        if key.offset == self.root_offset:
            raise RefusedError("the root key of a hive cannot be renamed")
        with self._editing() as (editor, when):
            editor.rename(key._offset, name, when)
        return self.key(key_path.join([*key_path.split(path)[:-1], name]))

    def set_value(self, path: str, name: str, kind: int, data: Data) -> None:
        """Sets a value of the key at `path`, new or not; "" names the default value.

        `data` is a number, a string or a list of strings, as the type requires; or bytes, stored as they are. Setting
        SymbolicLinkValue on an empty key makes the key a symbolic link, so that importing an exported link works.
        Raises KeyNotFound, LinkError, and UsageError if the type cannot hold the data.
        """
        raw = value_type.encode(kind, data)
        key = self.holder(path, name)
        with self._editing(keys=links.belongs_to_link(name)) as (editor, when):
            if kind == ValueType.LINK and links.belongs_to_link(name) and key.is_bare:
                editor.set_flags(key._offset, SYM_LINK)
            editor.set_value(key._offset, name, kind, raw, when)

    def delete_value(self, path: str, name: str) -> None:
        """Removes a value of the key at `path`. Raises KeyNotFound, ValueNotFound and LinkError."""
        key = self.holder(path, name)
        key.value(name)
        with self._editing(keys=links.belongs_to_link(name)) as (editor, when):
            editor.delete_value(key._offset, name, when)

    @contextmanager
    def _editing(self, keys: bool = True) -> Iterator[tuple[Editor, int]]:
        """One edit, made whole or not at all: (editor, time in 100 ns since 1601).

        `keys`: whether it may create, remove or rename keys, or make one a link.
        """
        self.key_edition += keys
        if self.unreplayed:
            raise RefusedError(self.unreplayed.refusal)
        self._sequence = self._sequence or next_sequence(self._base, self._logs)
        when = filetime.from_datetime(self._clock())
        try:
            with self.cells.editing():
                if self._editor is None:
                    self._editor = Editor(self.cells, self.root_offset, self._base.minor, self.value_names)
                yield self._editor, when
        except BaseException:
            self._editor = None  # its list of free cells is out of date
            self.value_names.forget()
            raise
        self._edited_at = when
        self.edition += 1

    # giving back

    def to_bytes(self) -> bytes:
        """The whole hive, clean. Its sequence numbers are above those in its logs, so Windows will not replay them."""
        self._seal()
        return self.cells.data[: len(self.cells.data)]

    def changed_ranges(self) -> list[tuple[int, int]]:
        """(offset, length) in bytes of the pages of the file in which `to_bytes` differs from the input, in order."""
        self._seal()
        if self._input is None:
            return self.cells.data.changed()
        before = FileBytes(self._input)
        before.write(0, self.to_bytes())
        return before.changed()

    def changed_parts(self) -> Iterator[tuple[int, bytes]]:
        """The ranges of `changed_ranges` with their new content: (offset in the file, bytes)."""
        for offset, length in self.changed_ranges():
            yield offset, self.cells.data[offset : offset + length]

    def reread(self) -> Hive:
        """The edited hive, parsed anew from the same memory."""
        self._seal()
        return Hive(self.cells.data, name=self._name, mount=self.mount)

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self.cells.data)

    def _seal(self) -> None:
        """Writes the base block that belongs to the edits, if there were any."""
        if not self.edition:
            return
        block = replace(
            self._base,
            primary=self._sequence,
            secondary=self._sequence,
            bins_size=self.cells.bins_size,
            # Windows 8.1 and later leave it 0; earlier versions match old-form logs by it.
            last_written=self._edited_at if self._base.last_written else 0,
        )
        self.cells.data.write(0, block.store(self.cells.data[: base_block.SECTOR]))
