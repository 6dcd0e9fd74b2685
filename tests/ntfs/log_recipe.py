"""Builds transactions: changes that ntfs-3g makes in a volume, logged as NTFS would have logged them.

ntfs-3g makes the edit on a copy. Its changes of file records, indexes and bitmaps are then written as updates of
transactions, into the log of the volume as it was before the edit.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from ntfs import log_builder as builder
from ntfs.log_builder import Chain, Log, plain
from ntfs.volumes import MIB, format_volume
from support.memory_device import MemoryDevice
from support.ntfs_judges import mounted
from vmrescue.ntfs.store import FileStore
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.ntfs.structures.record import FileRecord
from vmrescue.ntfs.structures.system_files import BITMAP, LOG_FILE, MFT

RECORD, BLOCK = 1024, 4096
SIZE = 16 * MIB
SMALL_FILES, BIG_FILES = 1, 30  # files in a directory with a resident index, and in one with an index block
SPARE_RECORDS = 4  # for new files, so that $MFT need not grow
STANDARD_TIMES = slice(0x18, 0x48)  # of $STANDARD_INFORMATION, value included
AWAKE = b"(no Windows sleeps here)"  # content of a hiberfil.sys that is no hibernation
NEW, GROWN, DELETED = "new", "grown", "deleted"


@dataclass(frozen=True)
class Scene:
    """A volume before and after an edit."""

    before: bytes
    after: bytes
    cluster: int


@cache
def scene(edit: str, directory: str, cluster: int = 4096) -> Scene:
    """A volume before and after a file is made, grown or deleted in the directory `small` or `big`."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "volume"
        format_volume(path, SIZE, cluster)
        with mounted(path, writable=True) as root:
            for name, count in (("small", SMALL_FILES), ("big", BIG_FILES)):
                (root / name).mkdir()
                for number in range(count):
                    (root / name / f"file {number:03}").write_bytes(bytes([number]) * 40)
            for name in ("small", "big"):
                (root / name / f"{GROWN} in {name}").write_bytes(os.urandom(2 * cluster))
                (root / name / f"{DELETED} in {name}").write_bytes(os.urandom(cluster))
            (root / "hiberfil.sys").write_bytes(AWAKE * 1000)
            for number in range(SPARE_RECORDS):
                (root / f"spare {number}").write_bytes(b"")
            for number in range(SPARE_RECORDS):
                (root / f"spare {number}").unlink()
        before = path.read_bytes()
        with mounted(path, writable=True) as root:
            place = root / directory / f"{edit} in {directory}"
            if edit == DELETED:
                place.unlink()
            elif edit == GROWN:
                with place.open("ab") as file:
                    file.write(os.urandom(3 * cluster))
            else:
                place.write_bytes(b"written before the crash" * 400)
        return Scene(before, path.read_bytes(), cluster)


@dataclass(frozen=True)
class Spot:
    """The place to which an update applies."""

    attribute: int
    vcn: int
    lcns: tuple[int, ...]
    block: int
    flags: int


class Recipe:
    """Writes an edit into a log, update by update."""

    def __init__(self, scene: Scene, log: Log) -> None:
        self.scene = scene
        self.log = log
        self.old, self.new = FileStore(MemoryDevice(scene.before)), FileStore(MemoryDevice(scene.after))
        self.places: list[Spot] = []  # the places of all updates
        for kind, record in ((Kind.DATA, MFT), (Kind.BITMAP, MFT), (Kind.DATA, BITMAP)):
            log.key(kind, record)
        log.key(Kind.INDEX_ALLOCATION, self.directory("big"))

    def directory(self, name: str) -> int:
        """The record of a directory of the root."""
        return self._find(name)

    def _find(self, name: str, store: FileStore | None = None) -> int:
        wanted = name.encode("utf-16-le")
        store = store or self.old
        for number in range(24, store.mft.count):
            record = self._record(store, number)
            if (
                record
                and record[0x16] & 1
                and wanted in [self._name(each.value) for each in self._names(store, number)]
            ):
                return number
        raise AssertionError(f"{name} is not there")

    @staticmethod
    def _name(value: bytes) -> bytes:
        return value[0x42 : 0x42 + 2 * value[0x40]]

    @staticmethod
    def _names(store: FileStore, number: int) -> list:  # type: ignore[type-arg]
        return store.file(number).attributes(Kind.FILE_NAME)

    @staticmethod
    def _record(store: FileStore, number: int) -> bytearray:
        data = store.pending.read_at(store.mft.position(number), RECORD)
        return plain(data) if data[:4] == b"FILE" else bytearray()

    # --- where things are ---

    def record_spot(self, number: int) -> Spot:
        cluster = self.scene.cluster
        position = self.new.mft.position(number)
        offset = number * RECORD
        lcns = tuple(position // cluster + each for each in range(max(1, RECORD // cluster)))
        key = self.log.key(Kind.DATA, MFT)
        return Spot(key, offset // cluster, lcns, offset % cluster // 512, builder.ON_RECORD)

    def stream_spot(self, kind: int, record: int, offset: int, size: int, flags: int) -> Spot:
        """A range of an attribute in clusters."""
        cluster = self.scene.cluster
        file = self.new.file(record)
        name = "$I30" if kind == Kind.INDEX_ALLOCATION else ""
        runs = file.runs(file.extents(kind, name))
        vcns = range(offset // cluster, (offset + size - 1) // cluster + 1)
        lcns = tuple(next(runs.pieces(vcn * cluster, 1, cluster))[0] // cluster for vcn in vcns)
        return Spot(self.log.key(kind, record), vcns[0], lcns, offset % cluster // 512, flags)

    def write(
        self,
        chain: Chain,
        spot: Spot,
        redo: tuple[int, bytes],
        undo: tuple[int, bytes],
        record: int = 0,
        at: int = 0,
        unlogged: int = 0,
    ) -> None:
        """One update."""
        self.places.append(spot)
        self.log.update(
            chain,
            redo,
            undo,
            attribute=spot.attribute,
            lcns=spot.lcns,
            vcn=spot.vcn,
            block=spot.block,
            record_offset=record,
            attribute_offset=at,
            flags=spot.flags,
            unlogged=unlogged,
        )

    # --- what NTFS logs ---

    def edit(self, chain: Chain, edit: str, directory: str) -> int:
        """Logs the whole edit except its end; returns the file's record."""
        if edit == GROWN:
            return self.grow(chain)
        return self.make(chain, directory) if edit == NEW else self.delete(chain, directory)

    def make(self, chain: Chain, directory: str) -> int:
        """Logs a new file; returns its record."""
        name = f"{NEW} in {directory}"
        number = self._find(name, self.new)
        spot = self.record_spot(number)
        record = self._record(self.new, number)
        used = int.from_bytes(record[0x18:0x1C], "little")
        record[8:16] = bytes(8)
        self.write(chain, spot, (builder.NOTHING, b""), (builder.DEALLOCATE, b""))
        self.record_bit(chain, number, True)
        self.write(chain, spot, (builder.INITIALIZE, bytes(record[:used])), (builder.NOTHING, b""))
        self.clusters(chain)
        self.entry(chain, directory, name, added=True)
        self.times(chain, self.directory(directory))
        return number

    def delete(self, chain: Chain, directory: str) -> int:
        name = f"{DELETED} in {directory}"
        number = self._find(name)
        self.entry(chain, directory, name, added=False)
        self.clusters(chain)
        old = self._record(self.old, number)
        self.write(chain, self.record_spot(number), (builder.DEALLOCATE, b""), (builder.INITIALIZE, bytes(old[:24])))
        self.record_bit(chain, number, False)
        self.times(chain, self.directory(directory))
        return number

    def grow(self, chain: Chain) -> int:
        number = self._grown()
        self.clusters(chain)
        old, new = (self._data(store, number) for store in (self.old, self.new))
        pairs = int.from_bytes(old[1][0x20:0x22], "little")
        redo, undo = new[1][pairs:], old[1][pairs:]
        spot = self.record_spot(number)
        allocated, real, initialized = zip(
            *(struct.unpack_from("<QQQ", each[1], 0x28) for each in (new, old)), strict=True
        )
        sizes = [struct.pack("<QQQ", *each) for each in zip(allocated, initialized, real, strict=True)]
        self.write(chain, spot, (builder.SIZES, sizes[0]), (builder.SIZES, sizes[1]), old[0])
        self.write(chain, spot, (builder.PAIRS, redo), (builder.PAIRS, undo), old[0], pairs)
        return number

    def _grown(self) -> int:
        records = [number for number in range(24, self.old.mft.count) if self._record(self.old, number)]
        used = [number for number in records if self._record(self.old, number)[0x16] & 1]
        data = [number for number in used if self.old.file(number).find(Kind.DATA)]
        return next(each for each in data if self._data(self.old, each)[1] != self._data(self.new, each)[1])

    def _data(self, store: FileStore, number: int) -> tuple[int, bytes]:
        """Where a file's data attribute is in its record, and the attribute."""
        record = FileRecord(self._record(store, number), number, 0)
        attribute = next(each for each in record.attributes if each.kind == Kind.DATA)
        return attribute.position, bytes(attribute.raw)

    def times(self, chain: Chain, number: int) -> None:
        start = int.from_bytes(self._record(self.old, number)[0x14:0x16], "little")
        part = slice(start + STANDARD_TIMES.start, start + STANDARD_TIMES.stop)
        new, old = (bytes(self._record(store, number)[part]) for store in (self.new, self.old))
        spot = self.record_spot(number)
        self.write(chain, spot, (builder.RESIDENT, new), (builder.RESIDENT, old), start, STANDARD_TIMES.start)

    def record_bit(self, chain: Chain, number: int, taken: bool) -> None:
        spot = self.stream_spot(Kind.BITMAP, MFT, 0, number // 8 + 1, 0)
        self._bits(chain, spot, number, 1, taken)

    def _bits(self, chain: Chain, spot: Spot, first: int, count: int, taken: bool) -> None:
        data = struct.pack("<II", first, count)
        ways = ((builder.SET_BITS, data), (builder.CLEAR_BITS, data))
        self.write(chain, spot, *(ways if taken else ways[::-1]))

    def clusters(self, chain: Chain) -> None:
        """Logs the clusters that were taken or freed."""
        old, new = (store.file(BITMAP).stream(Kind.DATA) for store in (self.old, self.new))
        before, after = (int.from_bytes(each.read_at(0, each.size), "little") for each in (old, new))
        bit = 0
        while changed := (before ^ after) >> bit:
            bit += (changed & -changed).bit_length() - 1
            taken = bool(after >> bit & 1)
            count = 1
            while (before ^ after) >> (bit + count) & 1 and bool(after >> (bit + count) & 1) == taken:
                count += 1
            offset = bit // 8 // self.scene.cluster * self.scene.cluster
            spot = self.stream_spot(Kind.DATA, BITMAP, offset, 1, 0)
            self._bits(chain, spot, bit - 8 * offset, count, taken)
            bit += count

    def entry(self, chain: Chain, directory: str, name: str, added: bool) -> None:
        """An entry of a directory, in its record or its one block."""
        number = self.directory(directory)
        fuller = self.new if added else self.old
        root = next(
            each for each in FileRecord(self._record(fuller, number), number, 0).attributes if each.kind == 0x90
        )
        if fuller.file(number).find(Kind.INDEX_ALLOCATION, "$I30"):
            stream = fuller.file(number).stream(Kind.INDEX_ALLOCATION, "$I30")
            node, start, record = plain(stream.read_at(0, BLOCK)), 0x18, 0
            spot = self.stream_spot(Kind.INDEX_ALLOCATION, number, 0, BLOCK, builder.ON_BLOCK)
            operations = (builder.ADD_BLOCK, builder.DELETE_BLOCK)
        else:
            node, start, record = bytearray(root.raw), root.value_offset + 0x10, root.position
            spot = self.record_spot(number)
            operations = (builder.ADD_ROOT, builder.DELETE_ROOT)
        at = start + int.from_bytes(node[start : start + 4], "little")
        while self._name(bytes(node[at + 0x10 :])) != name.encode("utf-16-le"):
            at += int.from_bytes(node[at + 8 : at + 10], "little")
        body = bytes(node[at : at + int.from_bytes(node[at + 8 : at + 10], "little")])
        ways = ((operations[0], body), (operations[1], b""))
        self.write(chain, spot, *(ways if added else ways[::-1]), record, at)


def log_size(volume: bytes) -> int:
    store = FileStore(MemoryDevice(volume))
    return store.file(LOG_FILE).stream(Kind.DATA).size


def with_log(volume: bytes | bytearray, log: bytes | bytearray) -> bytearray:
    """The volume with these bytes in its log."""
    device = MemoryDevice(volume)
    store = FileStore(device)
    stream = store.file(LOG_FILE).stream(Kind.DATA)
    stream.write_at(0, bytes(log).ljust(stream.size, b"\xff"))
    store.pending.commit()
    return device.data


def log_runs(volume: bytes) -> list[tuple[int, int]]:
    """The ranges of the log on the volume: (first byte, length in bytes)."""
    store = FileStore(MemoryDevice(volume))
    stream = store.file(LOG_FILE).stream(Kind.DATA)
    size = store.boot.cluster_size
    return [(run.lcn * size, run.length * size) for run in stream.clusters.runs.stored]


def content_of(scene: Scene) -> bytearray:
    """The volume before the edit with the new content of files, because NTFS writes data before the log."""
    old, new = (FileStore(MemoryDevice(each)) for each in (scene.before, scene.after))
    volume = bytearray(scene.before)
    before, after = (each.file(BITMAP).stream(Kind.DATA) for each in (old, new))
    free, taken = (int.from_bytes(each.read_at(0, each.size), "little") for each in (before, after))
    for cluster in range(old.boot.cluster_count):
        if (taken & ~free) >> cluster & 1:
            part = slice(cluster * scene.cluster, (cluster + 1) * scene.cluster)
            volume[part] = scene.after[part]
    return volume
