"""NTFS volumes: our own room, which also edits; dissect.ntfs, which diagnoses; and the replay of their logs."""

from __future__ import annotations

import functools
import struct
from itertools import islice
from typing import TYPE_CHECKING

from fuzz.layouts import Field, of_construct, of_numbers, of_struct
from fuzz.mutation import Seed
from fuzz.parser import Parser, Refusals
from ntfs.log_cases import NEWER, OLDER, committed
from ntfs.log_recipe import DELETED, GROWN, NEW, content_of, with_log
from ntfs.volumes import MIB, formatted
from support.memory_device import MemoryDevice
from support.ntfs_judges import FIRST_USER_RECORD
from vmrescue.errors import VmRescueError
from vmrescue.ntfs import NtfsVolume, volume_state
from vmrescue.ntfs.index import NODE as INDEX_NODE
from vmrescue.ntfs.log import layout as log_layout
from vmrescue.ntfs.log.replay import replay
from vmrescue.ntfs.structures.attribute import Attribute
from vmrescue.ntfs.structures.attribute_list import _ENTRY as LIST_ENTRY
from vmrescue.ntfs.structures.boot_sector import BOOT_SECTOR
from vmrescue.ntfs.structures.record import FileRecord
from vmrescue.readers.file_system import FileSystem, chunks
from vmrescue.readers.ntfs.file_system import NtfsFileSystem

if TYPE_CHECKING:
    from collections.abc import Callable

RECORD, BLOCK, SECTOR = 1024, 4096, 512
FILE_NAME = struct.Struct("<QQQQQQQIIBB")
NAME_FIELDS = "parent created changed modified accessed allocated size flags reparse length space"
ENTRY_FIELDS = "reference length key_length flags unused"
FILES_READ, MOST_READ = 4, 2 << 20
SMALL = 2 * MIB
LOG_FIELDS = 4000


@functools.cache
def seeds() -> list[Seed]:
    return [volume_seed("4096-byte clusters", small_volume(4096)), volume_seed("512", small_volume(512))]


@functools.cache
def small_volume(cluster: int) -> bytes:
    """2 MiB that mkntfs formatted: a directory with index blocks, a file with many runs, one with an attribute list."""
    device = MemoryDevice(formatted(SMALL, cluster))
    volume = NtfsVolume(device)
    volume.create_directory("D")
    for number in range(40):
        volume.create_file(f"D/{number:03} is a file with a longer name", bytes(number * 30))
    volume.create_directory("Gaps")
    for number in range(40):
        volume.create_file(f"Gaps/{number}", bytes(max(cluster, 800)))
    for number in range(0, 40, 2):
        volume.delete(f"Gaps/{number}")
    volume.create_file("one", b"1" * 20000)
    volume.create_file("filler", bytes((volume.free_clusters - 30) * cluster))
    volume.create_file("scattered", b"s" * cluster * 22)
    return bytes(device.data)


def volume_seed(name: str, data: bytes) -> Seed:
    return Seed(name, data, volume_fields(data))


def volume_fields(data: bytes, start: int = 0) -> list[Field]:
    """The numbers of the boot sector, of all records in use with their attributes, and of all index blocks."""
    fields = list(of_construct(BOOT_SECTOR, start, "boot sector")) * 3
    for at in range(start, len(data) - RECORD + 1, SECTOR):
        signature = data[at : at + 4]
        if signature == b"FILE" and data[at + 0x16] & 1:
            fields += _record_fields(data, at)
        elif signature == b"INDX" and at + BLOCK <= len(data):
            fields += _node_fields(data, at + 0x18, at + BLOCK)
    return fields


def _record_fields(data: bytes, at: int) -> list[Field]:
    fields = [*of_numbers(FileRecord, at, "record"), Field("record.fixup_offset", at + 4, 2)]
    place = at + struct.unpack_from("<H", data, at + 0x14)[0]
    while place + 16 < at + RECORD and data[place : place + 4] != b"\xff\xff\xff\xff":
        kind, length = struct.unpack_from("<II", data, place)
        fields += [each for each in of_numbers(Attribute, place, f"attribute {kind:#x}") if each.offset < at + RECORD]
        if data[place + 8]:
            pairs = place + struct.unpack_from("<H", data, place + 0x20)[0]
            fields += [Field("run list", each, 1) for each in range(pairs, min(place + length, pairs + 24))] * 2
        else:
            value = place + struct.unpack_from("<H", data, place + 0x14)[0]
            fields += _value_fields(data, kind, value, min(place + length, at + RECORD))
        place += max(length, 8)
    return fields


def _value_fields(data: bytes, kind: int, at: int, end: int) -> list[Field]:
    if kind == 0x20:
        return [field for place in range(at, end - 26, 32) for field in of_struct(LIST_ENTRY, place, "attribute list")]
    if kind == 0x30:
        return list(of_struct(FILE_NAME, at, "file name", NAME_FIELDS))
    if kind == 0x90:
        root = [Field(f"index root.{offset}", at + offset, 4) for offset in (0, 4, 8, 12)]
        return [*root, *_node_fields(data, at + 0x10, end)]
    return [Field(f"value {kind:#x}", place, 4) for place in range(at, min(end, at + 16), 4)]


def _node_fields(data: bytes, at: int, end: int) -> list[Field]:
    fields = list(of_struct(INDEX_NODE, at, "index node", "first used end flags"))
    place = at + struct.unpack_from("<I", data, at)[0]
    while place + 16 <= end:
        length, _, flags = struct.unpack_from("<HHH", data, place + 8)
        fields += of_struct(struct.Struct("<QHHHH"), place, "index entry", ENTRY_FIELDS)
        if length > 0x52:
            fields += of_struct(FILE_NAME, place + 16, "indexed name", NAME_FIELDS)
        if flags & 1:
            fields.append(Field("index entry.node", place + length - 8, 8))
        if flags & 2 or length < 16:
            break
        place += length
    return fields


def run(data: bytes) -> None:
    """Reads all, checks, edits."""
    device = MemoryDevice(data)
    refused = Refusals()
    with refused.allowed():
        volume_state(device)
    with refused.allowed():
        volume = NtfsVolume(device)
        with refused.allowed():
            _ = volume.free_clusters, volume.version, volume.label
        read_tree(volume, refused)
        for path in ("$MFT", "$Bitmap", "scattered"):
            with refused.allowed():
                volume.file_extents(path)
        with refused.allowed():
            volume.check()
        edit(volume, Refusals())
        with refused.allowed():
            volume.check()
    refused.tell()


def read_tree(volume: NtfsVolume, refused: Refusals) -> None:
    for folder in ("", "D", "Gaps"):
        with refused.allowed():
            for info in islice(volume.list(folder), FILES_READ):
                with refused.allowed():
                    if not info.is_directory and info.record >= FIRST_USER_RECORD and info.size <= MOST_READ:
                        volume.read_file(f"{folder}/{info.name}")


def edit(volume: NtfsVolume, refused: Refusals) -> None:
    """An edit of each kind."""
    deeds: tuple[Callable[[], object], ...] = (
        lambda: volume.write_file("one", b"z" * 20000),
        lambda: volume.write_file("scattered", b"z" * 6000),
        lambda: volume.create_file("D/new", b"z" * 6000),
        lambda: volume.create_directory("Gaps/new"),
        lambda: volume.delete("scattered"),
        lambda: volume.rename("D", "E" * 200),
    )
    for deed in deeds:
        with refused.allowed():
            deed()


def run_reader(data: bytes) -> None:
    """What a diagnosis asks, through dissect.ntfs."""
    refused = Refusals()
    with refused.allowed():
        ask_reader(NtfsFileSystem(MemoryDevice(data), 0), ("", "D"), refused)
    refused.tell()


def ask_reader(files: FileSystem, folders: tuple[str, ...], refused: Refusals) -> None:
    with refused.allowed():
        _ = files.label, files.cluster_size
    with refused.allowed():
        _ = files.free_bytes
    for folder in folders:
        with refused.allowed():
            for entry in islice(files.entries(folder), FILES_READ):
                path = f"{folder}\\{entry.name}"
                with refused.allowed():
                    if not entry.is_directory and entry.name[:1] != "$" and entry.size <= MOST_READ:
                        for _ in chunks(files.open(path)):
                            pass
    for path in ("D\\011 is a file with a longer name", "scattered", "none"):
        with refused.allowed():
            files.size_of(path)


@functools.cache
def log_seeds() -> list[Seed]:
    found = []
    for name, directory, version in ((NEW, "big", NEWER), (DELETED, "small", OLDER), (GROWN, "big", NEWER)):
        scene, log = committed(name, directory, version=version)
        data = bytes(with_log(content_of(scene), log.to_bytes()))
        found.append(Seed(f"{name} in {directory}", data, log_fields(data)))
    return found


def log_fields(data: bytes) -> list[Field]:
    """The numbers of restart pages, of record pages, and of the records in them, by the places where these begin."""
    fields: list[Field] = []
    for at in range(0, len(data) - BLOCK + 1, BLOCK):
        if data[at : at + 4] == b"RSTR":
            area = at + struct.unpack_from("<H", data, at + 24)[0]
            fields += list(of_construct(log_layout.RESTART_PAGE, at, "restart page")) * 2
            fields += list(of_construct(log_layout.RESTART_AREA, area, "restart area")) * 4
            client = area + struct.unpack_from("<H", data, area + 22)[0]
            fields += list(of_construct(log_layout.CLIENT_RECORD, client, "client")) * 4
        elif data[at : at + 4] == b"RCRD":
            fields += of_struct(log_layout.PAGE_HEADER, at, "page")
            fields += _log_records(data, at)
    return fields[:LOG_FIELDS]


def _log_records(data: bytes, page: int) -> list[Field]:
    """By their shape: a record's own number says where in the file it lies."""
    fields: list[Field] = []
    for at in range(page + 0x40, page + BLOCK - 0x60, 8):
        lsn, _, _, length = struct.unpack_from("<QQQI", data, at)
        kind = struct.unpack_from("<I", data, at + 0x20)[0]
        if lsn and 0 < length < BLOCK and kind in (1, 2):
            fields += of_struct(log_layout.RECORD_HEADER, at, "log record")
            fields += of_struct(log_layout.UPDATE_HEADER, at + 0x30, "update")
            fields += [Field("logged data", place, 4) for place in range(at + 0x50, at + 0x80, 4)]
    return fields


def run_log(data: bytes) -> None:
    """Replays the log; a refusal leaves the volume as it was."""
    device = MemoryDevice(data)
    try:
        replay(device)
    except VmRescueError:
        assert not device.writes, "a refused replay wrote to the volume"
        raise


PARSERS = (Parser("ntfs", run, seeds), Parser("ntfs-reader", run_reader, seeds), Parser("ntfs-log", run_log, log_seeds))
