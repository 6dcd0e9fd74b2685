"""A hive for a diagnosis, read through dissect.regf; the logs of a dirty hive are replayed in memory first.

Only the pages that are needed are read, so a clean hive of any size costs a few hundred kilobytes.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO
from weakref import finalize

from vmrescue.device import Held
from vmrescue.errors import FormatError, NotFoundError, VmRescueError
from vmrescue.log import logger
from vmrescue.plan import FileRef, RegistryData
from vmrescue.readers.file_system import Wanted
from vmrescue.readers.guard import reading
from vmrescue.readers.hive.plain import PlainKey
from vmrescue.readers.hive.reader import HiveReader
from vmrescue.readers.stream_device import StreamDevice
from vmrescue.registry import path as key_path
from vmrescue.registry.base_block import LOG_SUFFIXES, SECTOR, BaseBlock
from vmrescue.registry.base_block import SIZE as BASE_SIZE
from vmrescue.registry.hive_file import hive_size, read_hive, read_log
from vmrescue.registry.mounts import mount_of
from vmrescue.registry.state import HiveState, Unreplayed, hive_state, layer_notes
from vmrescue.signatures import HIVE

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from vmrescue.device import Readable
    from vmrescue.registry import Hive
    from vmrescue.registry.mounts import Mount
    from vmrescue.volumes.disk import Volume

LOG = logger("windows")
LARGEST_LOG = 8 << 20  # bytes of a log that are announced


class RegistryKey(PlainKey):
    """A key with values as typed data."""

    def data(self, name: str) -> RegistryData | None:
        """A value's type and data; "" is the default value. None if there is no value of that name."""
        found = self.value(name)
        return None if found is None else RegistryData(*found)

    def values(self) -> dict[str, RegistryData]:
        """All values by name; the unnamed one as ``""``."""
        return {name: RegistryData(*found) for name, found in self.stored_values().items()}


class RegistryFile:
    """A hive file on a volume.

    Args:
        volume, path: where the file is.
        replay: whether a dirty hive is read with its logs replayed, as Windows would see it.

    Attributes:
        ref: identifies the file in changes.
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
        if len(base_block) < SECTOR or base_block[:4] != HIVE:
            raise FormatError(f"hive \\{path} on {volume}", 0, "the signature 'regf'", bytes(base_block[:4]))
        self.state: HiveState = hive_state(base_block)
        self._base = BaseBlock.parse(base_block)
        LOG.debug("%s: opened, %d bytes, %s", self.name, self.size, self.state.reason if self.state.dirty else "clean")
        self.mount: Mount = mount_of(path, b"" if self.ref.partition else base_block)
        self._stream = stream
        self._replay = replay

    @classmethod
    def of(cls, volume: Volume, path: str) -> RegistryFile:
        """The hive at a path of this volume object, opened, and its logs replayed, once. Raises as the constructor."""
        if (cls, path) not in volume.found:
            volume.found[cls, path] = cls(volume, path)
        found: RegistryFile = volume.found[cls, path]
        return found

    def why_cut(self) -> str | None:
        """The sentence that the file is shorter than its base block says; None if it is not."""
        wanted = self._base.bins_size + BASE_SIZE
        return f"it has {self.size} bytes, and its base block says {wanted}" if wanted > self.size else None

    def reading(self) -> AbstractContextManager[None]:
        """The guard around calls of dissect.regf for this hive."""
        return reading(f"hive \\{self.path} on {self.volume}", None)

    @cached_property
    def _reader(self) -> HiveReader[RegistryKey]:
        return HiveReader(self._content[0], f"hive \\{self.path} on {self.volume}", self.mount, RegistryKey)

    @property
    def root(self) -> RegistryKey:
        return self._reader.root

    def why_not_replayable(self) -> str | None:
        """Why a dirty hive's logs cannot be replayed, so that it is read as it is in the file; None otherwise."""
        return self._content[1]

    def notes(self) -> list[str]:
        """Sentences that a user who reads the hive must see."""
        why = self.why_not_replayable()
        dirty = [Unreplayed(self.name, self.state, why).note] if why else []
        return [*dirty, *layer_notes(self.name, self._base)]

    @cached_property
    def _content(self) -> tuple[BinaryIO, str | None]:
        if not (self.state.dirty and self._replay):
            return self._stream, None
        try:
            return self._recovered(), None
        except VmRescueError as error:
            LOG.info("%s: read as its file has it, its logs were not replayed: %s", self.name, error)
            return self._stream, str(error)

    def _recovered(self) -> BinaryIO:
        """The hive with its logs replayed; only the bytes from the logs are in memory."""
        from vmrescue.image.overlay import Overlay
        from vmrescue.readers.stream import DeviceStream  # here, because dissect.util is slow to import
        from vmrescue.registry.recovery import replay

        with self.reading():
            size = hive_size(self._stream, self.name)
        hive = Overlay(StreamDevice(self._stream, size, self.name))
        finalize(self, hive.close)  # it may have a temporary file
        replay(hive, self.logs())
        LOG.info("%s: read with its transaction logs replayed, in memory", self.name)
        return DeviceStream(hive)

    @property
    def name(self) -> str:
        """The hive's name in messages."""
        return f"the hive \\{self.path} on {self.volume}"

    def content(self) -> Readable:
        """As `read`, but a clean hive is read only as far as needed. Raises UnsupportedError as `read`."""
        if self.state.dirty:
            return Held(self.read(), self.name)
        with self.reading():
            size = hive_size(self._stream, self.name)
        return _Guarded(self, StreamDevice(self._stream, size, self.name))

    def replayed(self) -> bytes | Readable:
        """The whole hive; of a dirty one what the replay of its logs makes of it. Raises UnsupportedError as `read`."""
        if not self.state.dirty:
            return self.read()
        stream, _ = self._content
        with self.reading():
            size = hive_size(stream, self.name)
        return _Guarded(self, StreamDevice(stream, size, self.name))

    def draft(self) -> Hive:
        """The hive for our editor to try edits on, in memory, its logs replayed. Raises UnsupportedError as `read`."""
        from vmrescue.registry import Hive  # here, because a diagnosis needs no editor

        replayed = self.state.dirty and not self.why_not_replayable()
        data, logs = (self.replayed(), []) if replayed else (self.content(), self.logs())
        return Hive(data, logs, name=self.name, mount=self.mount)

    def read(self) -> bytes:
        """The whole hive as it is in the file, without its logs. Raises UnsupportedError if it is too large."""
        with self.reading():
            return read_hive(self._stream, self.name)

    def logs(self) -> list[bytes]:
        """The content of the log files beside the hive, in the order LOG1, LOG2, LOG."""
        found = []
        self.volume.files.announce([Wanted(self.path + suffix, LARGEST_LOG) for suffix in LOG_SUFFIXES])
        for suffix in LOG_SUFFIXES:
            try:
                path = self.path + suffix
                found.append(read_log(self.volume.files.open(path), f"the log \\{path}"))
            except NotFoundError:
                continue
        return found

    def key(self, path: str) -> RegistryKey | None:
        """The key that opening `path` gives, links followed; None if a part of it is missing. Raises LinkError."""
        return self._reader.key(key_path.split(path))

    def stored_key(self, path: str) -> RegistryKey | None:
        """The key at `path`, which may be a link itself; None if a part of it is missing. Raises LinkError."""
        return self._reader.stored_key(key_path.split(path))

    def data(self, path: str, name: str) -> RegistryData | None:
        """The value `name` of the key at `path`; None if either is missing. Raises LinkError."""
        found = self._reader.value(key_path.split(path), name)
        return None if found is None else RegistryData(*found)

    def text(self, path: str, name: str) -> str | None:
        """A string value; None if it is missing or no string."""
        data = self.data(path, name)
        value = data.data if data else None
        return value if isinstance(value, str) else None

    def number(self, path: str, name: str) -> int | None:
        """A DWORD or QWORD value; None if it is missing or has another type."""
        data = self.data(path, name)
        value = data.data if data else None
        return value if isinstance(value, int) else None


class _Guarded:
    """The bytes of a hive's file, read through dissect.ntfs or dissect.fat, with their errors turned into ours."""

    def __init__(self, file: RegistryFile, device: StreamDevice) -> None:
        self.size = device.size
        self._file = file
        self._device = device

    def read_at(self, offset: int, length: int) -> bytes:
        with self._file.reading():
            return self._device.read_at(offset, length)
