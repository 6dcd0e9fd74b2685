"""Partition tables: MBR with logical partitions, and GPT with its backup."""

from __future__ import annotations

import functools
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from zlib import crc32

from fuzz.layouts import Field, of_construct
from fuzz.mutation import Seed
from fuzz.parser import Parser, Refusals
from support.machine import run as run_tool
from support.memory_device import MemoryDevice
from vmrescue.volume import PartitionTable, gpt, mbr, read_partition_table
from vmrescue.volume.extending import extend_partition, furthest_end, move_backup, move_partition
from volume.test_hostile import disks

SECTOR, MIB = 512, 1 << 20
ENTRIES = 6


@functools.cache
def seeds() -> list[Seed]:
    with_gpt, with_mbr = disks()
    chain = [Seed("MBR", with_mbr, [*_boot_record(0), *_boot_record(576)])]
    grown = with_gpt + bytes(MIB)
    return [
        *chain,
        Seed("GPT", with_gpt, _gpt_fields(with_gpt), seal),
        Seed("GPT of a disk that grew", grown, _gpt_fields(grown, (SECTOR,)), seal),
        Seed("GPT beside an MBR", hybrid(with_gpt), _gpt_fields(with_gpt), seal),
    ]


def hybrid(data: bytes) -> bytes:
    """As tools make it for firmware of both kinds: the MBR has a partition of its own beside the protective one."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "disk"
        path.write_bytes(data)
        run_tool("sgdisk", "-h1", path)
        return path.read_bytes()


def _boot_record(sector: int) -> list[Field]:
    return list(of_construct(mbr.BOOT_RECORD, sector * SECTOR, f"boot record {sector}"))


def _gpt_fields(data: bytes, headers: tuple[int, ...] = ()) -> list[Field]:
    """Of the headers at these places, or else of both that a sound disk has."""
    fields = _boot_record(0)
    for header_at in headers or (SECTOR, len(data) - SECTOR):
        header = gpt.HEADER.parse(data[header_at:])
        fields += list(of_construct(gpt.HEADER, header_at, f"header {header_at}")) * 2
        for number in range(ENTRIES):
            at = header.entries_lba * SECTOR + number * header.entry_size
            fields += of_construct(gpt.ENTRY, at, f"entry {number}")
    return fields


def seal(data: bytearray) -> None:
    """Makes the checksums of both copies right, as far as their numbers are sane."""
    for at in (SECTOR, len(data) - SECTOR):
        if at < SECTOR or len(data) < at + SECTOR:
            continue
        header = gpt.HEADER.parse(data[at : at + SECTOR])
        start = header.entries_lba * SECTOR
        size = header.entry_count * header.entry_size
        if size <= gpt.MAX_ARRAY and start + size <= len(data):
            data[at + 88 : at + 92] = crc32(data[start : start + size]).to_bytes(4, "little")
        data[at + 16 : at + 20] = bytes(4)
        covered = min(max(header.header_size, 92), SECTOR)
        data[at + 16 : at + 20] = crc32(data[at : at + covered]).to_bytes(4, "little")


def run(data: bytes) -> None:
    """Reads the table, then makes the disk longer and its partitions with it."""
    device = MemoryDevice(data)
    table = read_partition_table(device)
    check_promises(table, len(data))
    device.data += bytes(3 * MIB)
    with Refusals().allowed():
        table = read_partition_table(device)
        move_backup(device, table)
        table = read_partition_table(device)
        for partition in table.partitions:
            with Refusals().allowed():
                extend_partition(device, table, partition.number, partition.end + SECTOR)
            with Refusals().allowed():
                move_partition(device, table, partition.number, furthest_end(table, device.size) - partition.size)
        check_promises(read_partition_table(device), device.size)


def check_promises(table: PartitionTable, size: int) -> None:
    """What every table promises, however broken the disk."""
    volumes = sorted((p.start, p.end) for p in table.partitions if p.role != "extended")
    assert all(0 <= start < end <= size for start, end in volumes)
    assert all(end <= start for (_, end), (start, _) in pairwise(volumes))
    assert len({p.number for p in table.partitions}) == len(table.partitions)


PARSERS = (Parser("tables", run, seeds),)
