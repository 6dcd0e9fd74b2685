"""FAT12, FAT16 and FAT32 volumes: our own room, which also edits, and dissect.fat, which diagnoses."""

from __future__ import annotations

import functools
import struct
import tempfile
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from fat.volumes import new_volume
from fuzz.layouts import Field, of_construct, of_struct
from fuzz.mutation import Seed
from fuzz.parser import Parser, Refusals
from fuzz.rooms.ntfs import ask_reader
from support.machine import run as run_tool
from support.memory_device import MemoryDevice
from vmrescue.fat import FatVolume
from vmrescue.fat.boot_sector import TAIL_16, TAIL_32
from vmrescue.fat.directory import RECORD
from vmrescue.fat.info_sector import LAYOUT as INFO
from vmrescue.fat.names import LONG_SLOT
from vmrescue.readers.fat.file_system import FatFileSystem
from vmrescue.volume.fat_parameters import COMMON

if TYPE_CHECKING:
    from collections.abc import Callable

LONG_NAME = 0x0F
RECORD_FIELDS = "short attributes case tenths created_time created_date accessed high time date low size"
SLOTS, ENTRIES = 24, 48
FOLDER = "EFI/Boot with a long name"
FILES_READ, MOST_READ = 60, 1 << 20
SMALL = 1 << 20


@functools.cache
def seeds() -> list[Seed]:
    return [*(_seed(bits, new_volume(bits)[0]) for bits in (12, 16)), _seed(32, _small_fat32())]


@functools.cache
def reader_seeds() -> list[Seed]:
    """dissect.fat goes by the number of clusters, so its FAT32 volume is a large one, and taken less often."""
    return [*seeds()[:2] * 4, _seed(32, new_volume(32)[0])]


def _small_fat32() -> MemoryDevice:
    """A far smaller volume than Windows would format so: copying it takes no time."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "volume.img"
        path.write_bytes(bytes(SMALL))
        run_tool("mkfs.vfat", "-F", "32", "-s", "1", "-n", "LABEL", "--invariant", path)
        return MemoryDevice(path.read_bytes())


def _seed(bits: int, device: MemoryDevice) -> Seed:
    """The empty volume with some files."""
    volume = FatVolume(device)
    volume.create_directory("EFI")
    volume.create_directory(FOLDER)
    for number in range(6):
        volume.create_file(f"{FOLDER}/file number {number}", bytes(700 * number))
        volume.create_file(f"F{number}", bytes(500 * number))
    data = bytes(device.data)
    places = [volume.cluster_offset(volume.file_extents(path)[0][1]) for path in ("EFI", FOLDER)]
    root = FatVolume(device)._boot.root_offset if bits < 32 else volume.cluster_offset(2)
    table = int.from_bytes(data[14:16], "little") * 512
    fields = list(of_construct(COMMON, 0, "boot sector")) * 3
    fields += list(of_construct(TAIL_32 if bits == 32 else TAIL_16, COMMON.sizeof(), "boot sector")) * 3
    fields += of_construct(INFO, 512, "info sector") if bits == 32 else ()
    fields += [Field("table", table + number * bits // 8, max(bits // 8, 2)) for number in range(ENTRIES)] * 2
    for place in (root, *places):
        fields += _slots(data, place)
    return Seed(f"FAT{bits}", data, fields)


def _slots(data: bytes, place: int) -> list[Field]:
    fields: list[Field] = []
    for at in range(place, place + 32 * SLOTS, 32):
        if data[at] == 0:
            break
        long = data[at + 11] == LONG_NAME
        fields += of_struct(LONG_SLOT if long else RECORD, at, "slot", "" if long else RECORD_FIELDS)
        fields.append(Field("slot.first", at, 1))
        fields += [Field("slot.name", at + 2 * struct.calcsize("<H"), 2)] if long else []
    return fields


def run(data: bytes) -> None:
    """Reads all, checks, edits."""
    device = MemoryDevice(data)
    refused = Refusals()
    with refused.allowed():
        volume = FatVolume(device)
        assert 0 <= volume.free_clusters <= volume.cluster_count
        _ = volume.state
        for folder in ("", "EFI", FOLDER):
            with refused.allowed():
                for info in islice(volume.list(folder), FILES_READ):
                    with refused.allowed():
                        if not info.is_directory and info.size <= MOST_READ:
                            volume.read_file(f"{folder}/{info.name}")
        with refused.allowed():
            volume.check()
        edit(volume, Refusals())
        with refused.allowed():
            volume.check()
    refused.tell()


def edit(volume: FatVolume, refused: Refusals) -> None:
    """An edit of each kind."""
    deeds: tuple[Callable[[], object], ...] = (
        lambda: volume.create_file(f"{FOLDER}/new file", b"new" * 1000),
        lambda: volume.create_directory("new directory"),
        lambda: volume.write_file("F3", bytes(9000)),
        lambda: volume.write_file("F5", b""),
        lambda: volume.delete(f"{FOLDER}/file number 4"),
        lambda: volume.rename(FOLDER, "short"),
    )
    for deed in deeds:
        with refused.allowed():
            deed()


def run_reader(data: bytes) -> None:
    """What a diagnosis asks, through dissect.fat."""
    refused = Refusals()
    with refused.allowed():
        ask_reader(FatFileSystem(MemoryDevice(data), 0), ("", "EFI", FOLDER.replace("/", "\\")), refused)
    refused.tell()


PARSERS = (Parser("fat", run, seeds), Parser("fat-reader", run_reader, reader_seeds))
