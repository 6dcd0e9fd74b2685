"""Files of an NTFS volume for a diagnosis, read straight from their records as far as these are plain.

dissect's definitions take long to parse when a program starts, and its objects when a file is looked up. Of what is
plain nothing else is needed: records without attribute lists, indexes in order, content in clusters of its own, neither
compressed nor sparse. Whatever is not as it should be is asked of dissect's reader, which raises the errors: the
answers are the same, as `tests/readers/test_plain_ntfs.py` shows. What confirms an edit asks dissect for all of it.
"""

from __future__ import annotations

import struct
import sys
from array import array
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, BinaryIO, cast

from vmrescue import file_path
from vmrescue.device import prefetch
from vmrescue.errors import NotFoundError
from vmrescue.readers.file_system import CHUNK
from vmrescue.readers.free_space import FreeSpace, free_space
from vmrescue.readers.nature import Nature
from vmrescue.readers.ntfs import plain_record
from vmrescue.readers.ntfs.layout import OEM_NAME
from vmrescue.readers.ntfs.listing import described
from vmrescue.readers.ntfs.plain_record import DATA, FILE_NAME, REPARSE_POINT, Index, Record
from vmrescue.readers.plain import Content, NotPlainError, PlainFirst, Stored, announce_stored, read_stored

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmrescue.device import BlockDevice, Range
    from vmrescue.readers.file_system import Entry, Wanted
    from vmrescue.readers.ntfs.file_system import Extent, NtfsFileSystem

MFT, VOLUME, ROOT, BITMAP, UPCASE, FIRST_USER_RECORD = 0, 3, 5, 6, 10, 24  # records
INDEXES_KEPT = 8
# Bytes of a sector, sectors of a cluster, hidden sectors, sectors, $MFT, $MFTMirr (clusters), size of a file record.
_BOOT = struct.Struct("<3x8sHB14xI8xQQQb")
_STANDARD = struct.Struct("<32xI")  # of $STANDARD_INFORMATION: attributes
_STORED_ELSE = 0x200 | 0x800 | 0x1000 | 0x4000 | 0x40_0000  # sparse, compressed, offline, encrypted, recalled
_NAME_SPACE_AT = 0x41


class PlainNtfs(PlainFirst["_Volume", "NtfsFileSystem"]):
    """An NTFS volume, as `NtfsFileSystem` reads it."""

    def __init__(self, device: BlockDevice, position: int) -> None:
        super().__init__(device, position, _Volume)

    @cached_property
    def full(self) -> NtfsFileSystem:
        """dissect's reader of the volume."""
        from vmrescue.readers.ntfs.file_system import NtfsFileSystem

        return NtfsFileSystem(self._device, self._position)

    @property
    def free_bytes(self) -> int:
        return self.free_space.clusters * self.cluster_size

    @cached_property
    def free_space(self) -> FreeSpace:
        return self._ask(lambda files: files.free_space)

    def why_log_pending(self) -> str | None:
        return self.full.why_log_pending()

    def runs_of(self, record: int, kind: int, name: str) -> list[tuple[int, int]]:
        return self.full.runs_of(record, kind, name)

    @property
    def extent(self) -> Extent:
        return self.full.extent

    def pieces_of(self, path: str) -> int | None:
        return self._ask(lambda files: files.pieces_of(path))

    def announce(self, wanted: Iterable[Wanted]) -> None:
        if prefetch(self._device):
            self.full.announce(wanted)

    def entries(self, path: str) -> list[Entry]:
        return self._ask(lambda files: files.entries(path))

    def entry(self, path: str) -> Entry | None:
        return self._ask(lambda files: files.entry(path))


class _Volume:
    """What is plain of a volume; NotPlainError is raised for all else."""

    def __init__(self, device: BlockDevice) -> None:
        name, sector, per_cluster, self.hidden_sectors, sectors, table, mirror, record = _BOOT.unpack(
            device.read_at(0, min(_BOOT.size, device.size)).ljust(_BOOT.size, b"\0")
        )
        if name != OEM_NAME or sector != 512 or per_cluster not in (1, 2, 4, 8, 16, 32, 64, 128) or record >= 0:
            raise NotPlainError
        self._device = device
        self.cluster_size = sector * per_cluster
        self.clusters = sectors // per_cluster
        self.total_bytes = (sectors + 1) * sector
        self._record_size = 1 << -record
        if self._record_size not in (1024, 4096) or sectors * sector > device.size or not table < self.clusters:
            raise NotPlainError
        if not mirror < self.clusters < 1 << 32:
            raise NotPlainError
        self.geometry: dict[str, int | None] = {
            "sector size": sector,
            "cluster size": self.cluster_size,
            "number of clusters": self.clusters,
            "first cluster of $MFT": table,
            "first cluster of $MFTMirr": mirror,
            "size of a file record": self._record_size,
        }
        place = table * self.cluster_size
        if place + self._record_size > device.size:
            raise NotPlainError
        first = self._parsed(device.read_at(place, self._record_size), MFT)
        self._mft = _there(first.find(DATA))
        if not self._mft.runs or self._mft.runs[0][0] != table:
            raise NotPlainError
        self._directories: dict[str, Record] = {}
        self._indexes: dict[int, Index] = {}

    def _parsed(self, data: bytes, number: int) -> Record:
        return Record(data, number, self.clusters, self.cluster_size)

    # -- content

    def read(self, stored: Stored, at: int, length: int) -> bytes:
        return read_stored(self._device, stored, self.cluster_size, at, length)

    def announce(self, stored: Stored, ranges: Iterable[Range]) -> bool:
        return announce_stored(self._device, stored, self.cluster_size, ranges)

    def _record(self, number: int) -> Record:
        at = number * self._record_size
        if at + self._record_size > self._mft.initialized:
            raise NotPlainError
        return self._parsed(self.read(self._mft, at, self._record_size), number)

    @property
    def free_space(self) -> FreeSpace:
        stored, size = _there(self._record(BITMAP).find(DATA)), -(-self.clusters // 8)
        if stored.size < size or stored.initialized != stored.size:
            raise NotPlainError
        return free_space((self.read(stored, at, min(CHUNK, size - at)) for at in range(0, size, CHUNK)), self.clusters)

    @property
    def label(self) -> str:
        [name] = list(self._record(VOLUME).values(plain_record.VOLUME_NAME)) or [b""]
        return name.decode("utf-16-le", "strict")

    # -- names

    @cached_property
    def _upper_cases(self) -> array[int]:
        stored = _there(self._record(UPCASE).find(DATA))
        table = array("H", self.read(stored, 0, 0x20000))
        if len(table) != 0x10000:
            raise NotPlainError
        if sys.byteorder == "big":
            table.byteswap()
        return table

    def _fold(self, name: bytes) -> str:
        text = name.decode("utf-16-le", "surrogatepass")
        if text.isascii():
            return text.upper()
        units = memoryview(name)
        return "".join(
            [chr(self._upper_cases[low | high << 8]) for low, high in zip(units[::2], units[1::2], strict=True)]
        )

    def _index(self, directory: Record) -> Index:
        index = self._indexes.pop(directory.number, None)
        if index is None:
            index = Index(directory, self.read, self._fold, self.cluster_size)
            if len(self._indexes) >= INDEXES_KEPT:
                del self._indexes[next(iter(self._indexes))]
        self._indexes[directory.number] = index
        return index

    def _step(self, directory: Record, name: str) -> tuple[plain_record.Entry, Record] | None:
        found = self._index(directory).find(name) if directory.is_directory else None
        if found is None:
            return None
        record = self._record(found.number)
        if not record.in_use or record.sequence != found.sequence:
            raise NotPlainError
        return found, record

    @cached_property
    def _root(self) -> Record:
        return self._record(ROOT)

    def _find(self, path: str) -> Record | None:
        record, way = self._root, ""
        for part in file_path.split(path):
            way = f"{way}\\{part}"
            known = self._directories.get(way)
            if known is None:
                found = self._step(record, part)
                if found is None:
                    return None
                known = found[1]
                if known.is_directory:
                    self._directories[way] = known
            record = known
        return record

    # -- what `FileSystem` asks

    def spelled(self, path: str) -> str:
        record, names = self._root, file_path.split(path)
        for at, part in enumerate(names):
            found = self._step(record, part)
            if found is None:
                break
            entry, record = found
            if entry.short:
                raise NotPlainError
            names[at] = entry.name.decode("utf-16-le", "surrogatepass")
        return "\\".join(names)

    def size_of(self, path: str) -> int | None:
        record = self._find(path)
        return None if record is None or record.is_directory else _there(record.find(DATA)).size

    def pieces_of(self, path: str) -> int | None:
        record = self._find(path)
        if record is None or record.is_directory:
            return None
        stored = _there(record.find(DATA))
        return sum(1 for last, run in pairwise([(-1, 0), *stored.runs]) if sum(last) != run[0])

    def _content(self, path: str) -> Stored:
        record = self._find(path)
        if record is None or record.is_directory:
            raise NotFoundError(f"there is no file \\{path}")
        if record.has(REPARSE_POINT):
            raise NotPlainError
        return _there(record.find(DATA))

    def open(self, path: str) -> BinaryIO:
        return cast("BinaryIO", Content(self.read, self._content(path), self.announce))

    def stored(self, path: str) -> BinaryIO:
        return self.open(path)

    def head(self, path: str, length: int) -> tuple[int, bytes]:
        stored = self._content(path)
        return stored.size, self.read(stored, 0, length)

    def nature(self, path: str) -> Nature | None:
        parts = file_path.split(path)
        way = [self._find("\\".join(parts[: length + 1])) for length in range(len(parts))]
        records = [record for record in way if record is not None]
        if not records or len(records) < len(parts):
            return None
        record = records[-1]
        if any(each.has(REPARSE_POINT) for each in records):
            raise NotPlainError
        for standard in record.values(plain_record.STANDARD):
            if len(standard) < _STANDARD.size or _STANDARD.unpack_from(standard)[0] & _STORED_ELSE:
                raise NotPlainError
        names = sum(name[_NAME_SPACE_AT] != plain_record.DOS_NAME for name in record.values(FILE_NAME))
        size = 0 if record.is_directory else _there(record.find(DATA)).size
        own = any(each.number < FIRST_USER_RECORD and each.number != ROOT for each in records)
        return Nature(size=size, directory=record.is_directory, own=own, names=names, number=record.number)

    def _described(self, names: Iterable[tuple[int, str]]) -> list[Entry]:
        """What a listing tells of files, given by (record's number, name)."""
        table = cast("BinaryIO", Content(self.read, self._mft))
        found = list(described(table, self._record_size, names))
        entries = [entry for entry in found if entry is not None]
        if len(entries) < len(found):
            raise NotPlainError
        return entries

    def entries(self, path: str) -> list[Entry]:
        record = self._find(path)
        if record is None or not record.is_directory:
            raise NotPlainError
        names = [(each.number, each.name.decode("utf-16-le", "surrogatepass")) for each in self._index(record).names()]
        found = self._described(each for each in names if each[1] != ".")
        return sorted(found, key=lambda entry: entry.name.upper())

    def entry(self, path: str) -> Entry | None:
        record = self._find(path)
        if record is None:
            return None
        [entry] = self._described([(record.number, (file_path.split(self.spelled(path)) or [""])[-1])])
        return entry


def _there(stored: Stored | None) -> Stored:
    if stored is None:
        raise NotPlainError
    return stored
