"""Files of a FAT32 volume for a diagnosis, read straight from their entries as far as these are plain.

dissect's definitions take long to parse when a program starts. Of what is plain nothing else is needed: directories
without odd entries, short names in ASCII, chains that end where the size says. Whatever is not as it should be, and all
of FAT12 and FAT16, is asked of dissect's reader, which raises the errors: the answers are the same, as
`tests/readers/test_plain_fat.py` shows. What confirms an edit asks dissect for all of it.
Source: Microsoft, "FAT: General Overview of On-Disk Format" (fatgen103).
"""

from __future__ import annotations

import struct
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

from vmrescue import file_path
from vmrescue.errors import NotFoundError
from vmrescue.readers.fat.layout import (
    CLEAN,
    ENTRY,
    FIRST_END,
    LONG_NAME,
    LOWER_BASE,
    LOWER_EXTENSION,
    MOUNTED_OR_BAD,
    NOTED,
    checksum_of,
    noted_in,
)
from vmrescue.readers.nature import Nature
from vmrescue.readers.plain import Content, NotPlainError, PlainFirst, Stored, read_stored
from vmrescue.upcase import upper

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmrescue.device import BlockDevice
    from vmrescue.readers.fat.file_system import FatFileSystem
    from vmrescue.readers.file_system import Entry, Wanted

LARGEST_DIRECTORY, MOST_CLUSTERS = 1 << 16, 1 << 16  # bytes; clusters of a file that is read here
# Bytes of a sector, sectors of a cluster, reserved sectors, tables, entries of the root, sectors (16 bits), sectors of
# a table (16 bits), hidden sectors, sectors; of FAT32: sectors of a table, flags, version, first cluster of the root,
# FSInfo's sector, state, the volume's name.
_BOOT = struct.Struct("<11xHBHBHHxH4xIIIHHIH15xB5x11s")
_SLOT = struct.Struct("<11sBB7xH4xHI")  # name, attributes, case, first cluster's high half, its low half, size
_LONG = struct.Struct(
    "<B10sBBB12sH4s"
)  # order, characters, attributes, type, checksum, characters, cluster, characters
_DIRECTORY = 0x10
_LAST = 0x40  # bit of the order of a long name's last part


class PlainFat(PlainFirst["_Volume", "FatFileSystem"]):
    """A FAT volume, as `FatFileSystem` reads it."""

    def __init__(self, device: BlockDevice, position: int) -> None:
        super().__init__(device, position, _Volume)

    @cached_property
    def full(self) -> FatFileSystem:
        """dissect's reader of the volume."""
        from vmrescue.readers.fat.file_system import FatFileSystem

        return FatFileSystem(self._device, self._position)

    @property
    def free_bytes(self) -> int:
        return self._ask(lambda files: files.free_bytes)

    def announce(self, wanted: Iterable[Wanted]) -> None:
        """Nothing: the folders and files of an EFI system partition lie together, where its first clusters are."""

    def entry(self, path: str) -> Entry | None:
        return self.full.entry(path)

    def entries(self, path: str) -> list[Entry]:
        return self.full.entries(path)


class _Found(NamedTuple):
    name: str
    short: str
    directory: bool
    cluster: int
    size: int


class _Volume:
    """What is plain of a volume; `NOT_PLAIN` is raised for all else."""

    def __init__(self, device: BlockDevice) -> None:
        head = device.read_at(0, min(512, device.size)).ljust(512, b"\0")
        (
            sector,
            per_cluster,
            reserved,
            tables,
            root_entries,
            sectors16,
            table16,
            self.hidden_sectors,
            sectors,
            table,
            flags,
            version,
            self._root,
            self._noted,
            self._state,
            self._label,
        ) = _BOOT.unpack_from(head)
        if sector != 512 or per_cluster not in (1, 2, 4, 8, 16, 32, 64, 128) or head[510:] != b"\x55\xaa":
            raise NotPlainError
        if root_entries or sectors16 or table16 or flags or version or not (reserved and tables and table and sectors):
            raise NotPlainError
        first = reserved + tables * table
        self.clusters = (sectors - first) // per_cluster
        if sectors * sector > device.size or self.clusters < 1 or table * 128 < self.clusters + 2:
            raise NotPlainError
        self._device = device
        self.cluster_size = sector * per_cluster
        self.total_bytes = sectors * sector
        self._reserved, self._table, self._data = reserved, reserved * sector, first * sector
        self.geometry: dict[str, int | None] = {
            "bits of a table's entry": 32,
            "sector size": sector,
            "cluster size": self.cluster_size,
            "number of clusters": self.clusters,
            "place of the table": self._table,
            "size of the table": table * sector,
            "place of the first cluster": self._data,
            "entries of the root directory": root_entries,
            "first cluster of the root directory": self._root,
        }
        self._pages: dict[int, bytes] = {}
        self._folders: dict[int, list[_Found]] = {}

    @property
    def label(self) -> str:
        label = self._label.strip(b" ").decode("ascii")
        return "" if label == "NO NAME" else label

    @property
    def free_bytes(self) -> int:
        """From FSInfo, of a volume that was dismounted cleanly."""
        clean = self._entry(1) & CLEAN[32] == CLEAN[32] and not self._state & MOUNTED_OR_BAD
        noted = noted_in(self._device.read_at(self._noted * 512, NOTED.size)) if clean else None
        if noted is None or not 0 < self._noted < self._reserved or noted > self.clusters:
            raise NotPlainError
        return int(noted * self.cluster_size)

    # -- content

    def _entry(self, cluster: int) -> int:
        page, at = divmod(cluster * 4, 4096)
        if page not in self._pages:
            start = self._table + page * 4096
            self._pages[page] = self._device.read_at(start, min(4096, self._data - start))
        return int.from_bytes(self._pages[page][at : at + 4], "little")

    def _chain(self, cluster: int, most: int) -> list[int]:
        """The clusters of a chain, which ends after `most` of them at the latest."""
        found: list[int] = []
        while True:
            if not 2 <= cluster < self.clusters + 2 or len(found) >= most:
                raise NotPlainError
            found.append(cluster)
            cluster = self._entry(cluster) & ENTRY
            if cluster >= FIRST_END[32]:
                return found

    def _stored(self, clusters: list[int], size: int) -> Stored:
        runs: list[tuple[int, int]] = []
        for cluster in clusters:
            if runs and sum(runs[-1]) == cluster - 2:
                runs[-1] = runs[-1][0], runs[-1][1] + 1
            else:
                runs.append((cluster - 2, 1))
        return Stored(size, None, tuple(runs), size)

    def read(self, stored: Stored, at: int, length: int) -> bytes:
        return read_stored(self._device, stored, self.cluster_size, at, length, self._data)

    # -- names

    def _folder(self, cluster: int) -> list[_Found]:
        if cluster not in self._folders:
            chain = self._chain(cluster, LARGEST_DIRECTORY // self.cluster_size + 1)
            size = len(chain) * self.cluster_size
            self._folders[cluster] = list(_parsed(self.read(self._stored(chain, size), 0, size)))
        return self._folders[cluster]

    def _find(self, path: str) -> _Found | None:
        found = _Found("", "", True, self._root, 0)
        for part in file_path.split(path):
            if not found.directory:
                return None
            below = self._named(self._folder(found.cluster), part)
            if below is None:
                return None
            found = below
        return found

    def _named(self, entries: list[_Found], name: str) -> _Found | None:
        for entry in entries:
            if entry.name == name:
                return entry
        wanted = upper(name)
        fitting = [entry for entry in entries if wanted in (upper(entry.name), upper(entry.short))]
        if len(fitting) > 1:
            raise NotPlainError
        return fitting[0] if fitting else None

    # -- what `FileSystem` asks

    def spelled(self, path: str) -> str:
        names = file_path.split(path)
        for at in range(len(names)):
            found = self._find("\\".join(names[: at + 1]))
            if found is None:
                break
            names[at] = found.name
        return "\\".join(names)

    def size_of(self, path: str) -> int | None:
        found = self._find(path)
        return None if found is None or found.directory else found.size

    def nature(self, path: str) -> Nature | None:
        found = self._find(path)
        if found is None:
            return None
        return Nature(0 if found.directory else found.size, found.directory, number=found.cluster)

    def _content(self, path: str) -> Stored:
        found = self._find(path)
        if found is None or found.directory:
            raise NotFoundError(f"there is no file \\{path}")
        wanted = -(-found.size // self.cluster_size)
        if wanted > MOST_CLUSTERS or not wanted:
            raise NotPlainError
        chain = self._chain(found.cluster, wanted)
        if len(chain) != wanted:
            raise NotPlainError
        return self._stored(chain, found.size)

    def open(self, path: str) -> BinaryIO:
        return cast("BinaryIO", Content(self.read, self._content(path)))

    def stored(self, path: str) -> BinaryIO:
        return self.open(path)

    def head(self, path: str, length: int) -> tuple[int, bytes]:
        stored = self._content(path)
        return stored.size, self.read(stored, 0, length)


def _parsed(slots: bytes) -> Iterator[_Found]:
    """The entries of a directory."""
    parts: list[bytes] = []
    checksum = due = 0
    for at in range(0, len(slots) - 31, 32):
        first, attributes = slots[at], slots[at + 11]
        if not first or first == 0xE5:
            if parts or due:
                raise NotPlainError
            if not first:
                return
            continue
        if attributes == LONG_NAME:
            order, one, _, kind, own, two, cluster, three = _LONG.unpack_from(slots, at)
            if order & _LAST:
                if due:
                    raise NotPlainError
                due, checksum = order & ~_LAST, own
                if not 1 <= due <= 20:
                    raise NotPlainError
            elif order != due or not due or own != checksum:
                raise NotPlainError
            if kind or cluster:
                raise NotPlainError
            parts.insert(0, one + two + three)
            due -= 1
            continue
        raw, attributes, case, high, low, size = _SLOT.unpack_from(slots, at)
        if due or (parts and checksum != checksum_of(raw)) or attributes & 0xC0 or not raw.isascii() or min(raw) < 0x20:
            raise NotPlainError
        base, extension = raw[:8].decode().rstrip(), raw[8:].decode().rstrip()
        short = f"{base}.{extension}" if extension else base
        name = _long(b"".join(parts)) if parts else _cased(short, case)
        parts = []
        yield _Found(name, short, bool(attributes & _DIRECTORY), high << 16 | low, size)
    if parts or due:
        raise NotPlainError


def _long(units: bytes) -> str:
    name, end, rest = units.decode("utf-16-le").partition("\0")
    if not name or (end and rest.strip("\uffff")):
        raise NotPlainError
    return name


def _cased(short: str, case: int) -> str:
    base, dot, extension = short.partition(".")
    lower = base.lower() if case & LOWER_BASE else base
    return lower + dot + (extension.lower() if case & LOWER_EXTENSION else extension)
