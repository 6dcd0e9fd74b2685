"""What is read directly from plain records and sound directories is what they say: sound volumes and damaged ones, both
ways.

VMRESCUE_CAMPAIGN=33 looks at 2,000 damaged volumes.
"""

from __future__ import annotations

import re
import struct
from functools import cache, partial
from random import Random
from typing import TYPE_CHECKING

from fuzz.mutation import mutate
from fuzz.rooms import PARSERS
from ntfs.test_check import sound
from ntfs.volumes import MIB, new_volume
from support.campaign import TIMES
from support.memory_device import MemoryDevice
from vmrescue.errors import VmRescueError
from vmrescue.ntfs.check import plain_directory
from vmrescue.ntfs.check import volume as check
from vmrescue.ntfs.check.names import Names
from vmrescue.ntfs.defrag import layout
from vmrescue.ntfs.directory import find_file
from vmrescue.ntfs.index import FILE_NAMES
from vmrescue.ntfs.plain_record import read_plain_records
from vmrescue.ntfs.store import FileStore
from vmrescue.ntfs.structures.attribute import Kind
from vmrescue.ntfs.structures.system_files import UPCASE

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from vmrescue.ntfs.check.plain_directory import Parts, PlainDirectories, Result
    from vmrescue.ntfs.plain_record import Found

USED = re.compile(rb"FILE0\0\x03\0.{14}[\1\3]|INDX\x28\0\x09\0", re.DOTALL)  # records in use, and index blocks


def verdict(volume: bytes) -> object:
    """Each attribute in clusters, and all problems that the check finds."""
    try:
        store = FileStore(MemoryDevice(volume))
        return sorted(layout.read_layout(store)), sorted(check.check_volume(store))
    except VmRescueError as error:
        return str(error)


def bitten(volume: bytes, chance: Random) -> bytes:
    """The volume with bytes of a few records and index blocks changed, none of those that a fix-up guards."""
    data = bytearray(volume)
    places = [match.start() for match in USED.finditer(volume)]
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        at, like = chance.choice(places), chance.choice(places)
        start = chance.randrange(0x10, 0x1F0 if chance.random() < 0.8 else 0x3F0)
        if start % 512 < 504:
            taken = data[like + start : like + start + chance.choice((1, 2, 4, 8))]
            byte = bytes([chance.choice((0, 1, 2, 8, 0x7F, 0x80, 0xFF, data[at + start] ^ 1))])
            new = chance.choice((taken, byte))
            data[at + start : at + start + len(new)] = new
    return bytes(data)


def test_a_record_that_ends_within_an_attributes_header_is_odd() -> None:
    record = bytearray(1024)
    struct.pack_into("<4sHH8xHHHHII", record, 0, b"FILE", 0x30, 3, 1, 1, 0x38, 1, 1024, 1024)
    struct.pack_into("<IIB", record, 0x38, 0x10, 1008 - 0x38, 0)  # fills the record up to the last 16 bytes
    struct.pack_into("<IH", record, 0x38 + 16, 0, 24)
    struct.pack_into("<IIB", record, 1008, 0x80, 24, 0)

    assert read_plain_records(bytes(record), 0, 1024, 1000)[1] == [(0, None)]


def without_upper_case(volume: bytes) -> bytes:
    """The volume with an $UpCase too short to be read: no name of it can be compared."""
    data = bytearray(volume)
    [table] = FileStore(MemoryDevice(volume)).file(UPCASE).extents(Kind.DATA)
    data[table.position + 0x30 : table.position + 0x40] = struct.pack("<QQ", 512, 512)  # real and initialized size
    return bytes(data)


@cache
def scattered() -> bytes:
    """A volume with a directory whose index lies in so many pieces that it has an attribute list."""
    device, volume = new_volume(16 * MIB)
    volume.create_directory("Gaps")
    for number in range(1600):
        volume.create_file(f"Gaps/{number}", bytes(4096))
    volume.create_file("filler", bytes((volume.free_clusters - 60) * 4096))
    for number in range(0, 1600, 2):
        volume.delete(f"Gaps/{number}")
    volume.create_directory("D")
    for number in range(900):
        volume.create_file(f"D/{number:04} {'is a file with a long name' * 8}", b"")
    return bytes(device.data)


def test_a_directory_with_an_attribute_list_is_read_directly() -> None:
    store = FileStore(MemoryDevice(scattered()))
    folder = find_file(store, "D")
    assert folder.lines
    assert len(list(folder.stream(Kind.INDEX_ALLOCATION, FILE_NAMES).clusters.runs)) > 100
    directories = plain_directory.PlainDirectories(store, Names())
    result = directories.check(partial(directories.of_file, folder.number))
    assert result is not None
    assert len(result.others) == 900  # no name of a record is known yet


def test_damaged_volumes_get_the_same_verdict_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds, chance = PARSERS["ntfs"].must_have_seeds(), Random(2026)
    volumes = [sound(), scattered(), *(seed.data for seed in seeds)]
    volumes += [without_upper_case(seed.data) for seed in seeds]
    for _ in range(30 * TIMES):
        volumes += [mutate(chance.choice(seeds), chance), bitten(chance.choice(seeds).data, chance)]
    volumes += [bitten(scattered(), chance) for _ in range(10 * TIMES)]
    records: list[Found] = []
    directories: list[Result | None] = []
    quick = plain_directory.PlainDirectories.check

    def counted(
        table: bytes, first: int, size: int, clusters: int, passed_over: None = None
    ) -> tuple[bytes, list[Found]]:
        read, found = read_plain_records(table, first, size, clusters)
        records.extend(found)
        return read, found

    def noted(self: PlainDirectories, parts: Callable[[], Parts | None]) -> Result | None:
        directories.append(quick(self, parts))
        return directories[-1]

    for module in (layout, check):
        monkeypatch.setattr(module, "read_plain_records", counted)
    monkeypatch.setattr(plain_directory.PlainDirectories, "check", noted)
    verdicts = [verdict(volume) for volume in volumes]
    assert sum(found is not None for _, found in records) > len(records) / 2
    assert sum(found is not None for found in directories) > len(directories) / 3

    def all_odd(
        table: bytes, first: int, size: int, clusters: int, passed_over: None = None
    ) -> tuple[bytes, list[Found]]:
        read, found = read_plain_records(table, first, size, clusters)
        return read, [(number, None) for number, _ in found]

    for module in (layout, check):
        monkeypatch.setattr(module, "read_plain_records", all_odd)
    monkeypatch.setattr(plain_directory.PlainDirectories, "check", lambda self, parts: None)
    assert [number for number, volume in enumerate(volumes) if verdict(volume) != verdicts[number]] == []
