"""A hive read for diagnosis: through dissect.regf, after its transaction logs were replayed in memory if it is dirty.

Only the pages that are asked for are read, so a clean hive of any size costs a few hundred kilobytes.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO
from weakref import finalize

from vmrescue.errors import FormatError, NotFoundError, VmRescueError
from vmrescue.plan import FileRef, RegistryData
from vmrescue.registry import path as key_path
from vmrescue.registry.base_block import LOG_SUFFIXES, SECTOR
from vmrescue.registry.hive_file import hive_size, read_hive, read_log
from vmrescue.registry.mounts import mount_of
from vmrescue.registry.state import HiveState, Unreplayed, hive_state
from vmrescue.registry.upcase import upper
from vmrescue.windows.guard import reading
from vmrescue.windows.registry_links import LINK_VALUE, Links
from vmrescue.windows.stream import DeviceStream, StreamDevice

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from vmrescue.registry.mounts import Mount
    from vmrescue.windows.volume import Volume


SYM_LINK = 0x10  # flag of a key
FEW = 32  # lookups in a key; whoever asks for more has its whole list read, once


class RegistryKey:
    """A key as dissect.regf reads it, with the few questions that we ask. Names are compared without case."""

    def __init__(self, key: Any, where: RegistryFile) -> None:
        from vmrescue.windows.bounded_hive import check_key

        check_key(key)
        self._key = key
        self._where = where
        self._asked = 0

    @property
    def name(self) -> str:
        return str(self._key.name)

    @property
    def is_link(self) -> bool:
        return bool(int(self._key.cell.Flags) & SYM_LINK)

    def subkeys(self) -> list[RegistryKey]:
        from vmrescue.windows.bounded_hive import check_list

        with self._where.reading():
            check_list(self._key)
            return [RegistryKey(key, self._where) for key in self._key.subkeys()]

    def subkey(self, name: str) -> RegistryKey | None:
        from dissect.regf.exceptions import RegistryKeyNotFoundError

        from vmrescue.windows.bounded_hive import check_list

        self._asked += 1
        if self._asked <= FEW:
            with self._where.reading():
                check_list(self._key)
                try:
                    found = RegistryKey(self._key.subkey(name), self._where)
                except (RegistryKeyNotFoundError, UnicodeDecodeError):
                    # dissect compares names in `li` lists with case, and cannot read `lf` hints that are not ASCII
                    found = None
                if found and upper(found.name) == upper(name):  # dissect's lower case is not Windows' upper case
                    return found
        return self._subkeys.get(upper(name))

    def value(self, name: str) -> tuple[int, bytes] | None:
        """Type and bytes of a value; None where there is none of that name."""
        found = self.data(name)
        return (found.type, found.raw) if found else None

    def data(self, name: str) -> RegistryData | None:
        """A value's type and data; "" is the default value, which dissect calls by a name that another may have."""
        with self._where.reading():
            found = self._values.get(upper(name))
            return None if found is None else RegistryData(int(found.type), _data(found))

    def values(self) -> dict[str, RegistryData]:
        """All values by name; the unnamed one as ``""``."""
        with self._where.reading():
            if sum(value.size for value in self._values.values()) > self._where.size:
                raise FormatError(f"key {self.name}", 0, "values that fit in their hive together", "larger ones")
            return {value.name: RegistryData(int(value.type), _data(value)) for value in self._values.values()}

    @cached_property
    def _subkeys(self) -> dict[str, RegistryKey]:
        """By their upper-cased names, of two alike the first: dissect looks through a list for each."""
        found: dict[str, RegistryKey] = {}
        for key in self.subkeys():
            found.setdefault(upper(key.name), key)
        return found

    @cached_property
    def _values(self) -> dict[str, Any]:
        """dissect's values by their upper-cased names, of two alike the first: it looks through a list for each."""
        found: dict[str, Any] = {}
        for value in self._key.values():
            found.setdefault(upper(value.name), value)
        return found


def _data(value: Any) -> bytes:
    """Its bytes; dissect looks for a cell even where a size of 0 says that there is none."""
    return bytes(value.data) if value.size else b""


class RegistryFile:
    """A hive file on a volume.

    Args:
        volume, path: where it lies.
        replay: whether a dirty hive is read with its logs replayed, as Windows would see it.

    Attributes:
        ref: which file it is, for changes.
        state: whether it is dirty, and why.
        size: the file's length in bytes.
        mount: where Windows mounts it.
    """

    def __init__(self, volume: Volume, path: str, replay: bool = True) -> None:
        self.volume = volume
        self.path = path
        self.ref = FileRef(volume.disk_index, volume.partition.number, path)
        self.size = volume.files.size_of(path) or 0
        stream = volume.files.open(path)
        with self.reading():
            base_block = stream.read(SECTOR)
        if len(base_block) < SECTOR or base_block[:4] != b"regf":
            raise FormatError(f"hive \\{path} on {volume}", 0, "the signature 'regf'", bytes(base_block[:4]))
        self.state: HiveState = hive_state(base_block)
        self.mount: Mount = mount_of(path, b"" if self.ref.partition else base_block)
        self._stream = stream
        self._replay = replay
        self._way: list[tuple[str, RegistryKey]] = []  # the last key found and those above it, by their names

    def reading(self) -> AbstractContextManager[None]:
        """The guard for everything that dissect.regf does with this hive."""
        return reading(f"hive \\{self.path} on {self.volume}", 0)

    @cached_property
    def root(self) -> RegistryKey:
        from vmrescue.windows.bounded_hive import BoundedHive

        content, _ = self._content
        with self.reading():
            return RegistryKey(BoundedHive(content).root(), self)

    def why_not_replayable(self) -> str | None:
        """Why a dirty hive's logs cannot be replayed; its content is then read as the file alone has it."""
        return self._content[1]

    def notes(self) -> list[str]:
        """What is to be said of it to whoever reads it."""
        why = self.why_not_replayable()
        return [Unreplayed(self.name, self.state, why).note] if why else []

    @cached_property
    def _content(self) -> tuple[BinaryIO, str | None]:
        if not (self.state.dirty and self._replay):
            return self._stream, None
        try:
            return self._recovered(), None
        except VmRescueError as error:
            return self._stream, str(error)

    def _recovered(self) -> BinaryIO:
        """The hive with its logs replayed, of which only what these hold is in memory."""
        from vmrescue.image.overlay import Overlay
        from vmrescue.registry.recovery import replay

        with self.reading():
            size = hive_size(self._stream, self.name)
        hive = Overlay(StreamDevice(self._stream, size, self.name))
        finalize(self, hive.close)  # it may have a temporary file
        replay(hive, self.logs())
        return DeviceStream(hive)

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"the hive \\{self.path} on {self.volume}"

    def read(self) -> bytes:
        """The whole hive as it is, without its logs. Raises UnsupportedError where it is too large for that."""
        with self.reading():
            return read_hive(self._stream, self.name)

    def logs(self) -> list[bytes]:
        """The content of the log files that lie beside the hive, in the order LOG1, LOG2, LOG."""
        found = []
        for suffix in LOG_SUFFIXES:
            try:
                path = self.path + suffix
                found.append(read_log(self.volume.files.open(path), f"the log \\{path}"))
            except NotFoundError:
                continue
        return found

    def key(self, path: str) -> RegistryKey | None:
        """The key that is got by opening `path`, never a link; None where a part of it is missing. Raises LinkError."""
        return self._open(key_path.split(path))

    def stored_key(self, path: str) -> RegistryKey | None:
        """The key at `path`, which may be a link itself; None where a part of it is missing. Raises LinkError."""
        *above, name = key_path.split(path) or [""]
        key = self._open(above)
        return key.subkey(name) if key and name else key

    def _open(self, names: list[str]) -> RegistryKey | None:
        known = 0
        while known < min(len(names), len(self._way)) and names[known] == self._way[known][0]:
            known += 1
        del self._way[known:]
        key: RegistryKey = self._way[-1][1] if known else self.root
        for count, name in enumerate(names[known:], known + 1):
            below = key.subkey(name)
            if below is None:
                return None
            key = self._links.follow(below, key_path.join(names[:count])) if below.is_link else below
            self._way.append((name, key))
        return key

    @cached_property
    def _links(self) -> Links:
        return Links(self.root, self.mount)

    def data(self, path: str, name: str) -> RegistryData | None:
        """The value `name` of the key at `path`; None where either is missing. Raises LinkError."""
        key = self.stored_key(path) if upper(name) == upper(LINK_VALUE) else self.key(path)
        return key.data(name) if key else None

    def text(self, path: str, name: str) -> str | None:
        """A string value; None where it is missing or no string."""
        data = self.data(path, name)
        value = data.data if data else None
        return value if isinstance(value, str) else None

    def number(self, path: str, name: str) -> int | None:
        """A DWORD or QWORD value; None where it is missing or something else."""
        data = self.data(path, name)
        value = data.data if data else None
        return value if isinstance(value, int) else None
