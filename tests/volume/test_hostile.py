"""Partition tables with bytes changed at random, or drawn at random: an answer or a VmRescueError, at once."""

from __future__ import annotations

import contextlib
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from zlib import crc32

from hypothesis import given, settings
from hypothesis import strategies as st

from support.memory_device import MemoryDevice
from vmrescue.errors import FormatError, VmRescueError
from vmrescue.volume import PartitionTable, read_partition_table
from volume.disks import MIB, gpt_disk, mbr_disk

SIZE = 2 * MIB
GPT_OPTIONS = ("-n1:64:+256K", "-t1:EF00", "-n2:0:+1M", "-t2:0700")
MBR_SCRIPT = """label: dos
start=64, size=512, type=7, bootable
start=576, size=3000, type=f
start=640, size=512, type=7
start=1280, size=512, type=7
"""
HEAD = 3 * 512  # the MBR, the GPT header and its first four entries


@cache
def disks() -> tuple[bytes, bytes]:
    with TemporaryDirectory() as folder:
        gpt = gpt_disk(Path(folder) / "gpt.img", "-a1", *GPT_OPTIONS, size=SIZE).read_bytes()
        return gpt, mbr_disk(Path(folder) / "mbr.img", MBR_SCRIPT, size=SIZE).read_bytes()


def check_promises(table: PartitionTable) -> None:
    """What every table promises, however broken the disk."""
    volumes = sorted((p.start, p.end) for p in table.partitions if p.role != "extended")
    assert all(0 <= start < end <= SIZE for start, end in volumes)
    assert all(end <= start for (_, end), (start, _) in pairwise(volumes))
    assert len({p.number for p in table.partitions}) == len(table.partitions)


def repair_checksums(data: bytearray) -> None:
    """So that a changed GPT is believed."""
    data[512 + 88 : 512 + 92] = crc32(data[1024 : 1024 + 128 * 128]).to_bytes(4, "little")
    data[512 + 16 : 512 + 20] = bytes(4)
    data[512 + 16 : 512 + 20] = crc32(data[512 : 512 + 92]).to_bytes(4, "little")


changes = st.lists(st.tuples(st.integers(0, HEAD - 1), st.integers(0, 255)), min_size=1, max_size=12)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 1), changes, st.booleans())
def test_a_changed_table_is_read_or_refused(kind: int, changed: list[tuple[int, int]], believed: bool) -> None:
    data = bytearray(disks()[kind])
    check_promises(read_partition_table(MemoryDevice(data)))
    for position, value in changed:
        data[position] = value
    if believed:
        repair_checksums(data)
    with contextlib.suppress(VmRescueError):
        check_promises(read_partition_table(MemoryDevice(data)))


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=64, max_size=64))
def test_an_mbr_of_any_entries_is_read_or_refused(entries: bytes) -> None:
    data = bytearray(disks()[1])
    data[446:510] = entries
    with contextlib.suppress(VmRescueError):
        check_promises(read_partition_table(MemoryDevice(data)))


def test_an_entry_count_beyond_reason_is_not_read() -> None:
    data = bytearray(disks()[0])
    data[512 + 80 : 512 + 84] = b"\xff\xff\xff\x7f"
    data[512 + 16 : 512 + 20] = bytes(4)
    data[512 + 16 : 512 + 20] = crc32(data[512 : 512 + 92]).to_bytes(4, "little")
    table = read_partition_table(MemoryDevice(data))
    assert "entries of at most 1048576 bytes in all, found 274877906816" in table.warnings[0]


def test_a_chain_as_long_as_the_disk_is_given_up() -> None:
    """Every sector from 64 on is an extended boot record that links to the next one."""
    data = bytearray(disks()[1])
    for sector in range(64, SIZE // 512):
        record = bytearray(512)
        record[450], record[466], record[510:] = 7, 5, b"\x55\xaa"
        record[454:462] = (1).to_bytes(4, "little") * 2
        record[470:478] = (sector + 1 - 64).to_bytes(4, "little") + (1).to_bytes(4, "little")
        data[sector * 512 : sector * 512 + 512] = record
    data[446:510] = (
        bytes(4) + b"\x05" + bytes(3) + (64).to_bytes(4, "little") + (4032).to_bytes(4, "little") + bytes(48)
    )
    try:
        warnings = read_partition_table(MemoryDevice(data)).warnings
    except FormatError as error:
        warnings = [str(error)]
    assert any("too far along" in warning for warning in warnings)
