"""Faults of dissect.fat that our reader corrects."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from support.machine import run
from support.memory_device import MemoryDevice
from vmrescue.errors import FormatError
from vmrescue.readers.fat.file_system import FatFileSystem

if TYPE_CHECKING:
    from pathlib import Path

CLUSTER = 2048


@pytest.fixture
def volume(tmp_path: Path) -> bytearray:
    """A FAT16 volume, made by mkfs.vfat and mtools, with a file of two clusters: 2 and 3."""
    path = tmp_path / "fat16"
    path.write_bytes(bytes(16 << 20))
    run("mkfs.vfat", "-F", "16", "-s", "4", path)
    content = tmp_path / "content"
    content.write_bytes(b"A" * CLUSTER + b"B" * CLUSTER)
    run("mcopy", "-i", path, content, "::/FILE")
    return bytearray(path.read_bytes())


def table_start(volume: bytearray) -> int:
    """The position of the table's first copy: reserved sectors times bytes of a sector."""
    sector, reserved = struct.unpack_from("<HxH", volume, 11)
    return int(sector * reserved)


def directory_entry(volume: bytearray) -> int:
    return volume.index(b"FILE       ")


def test_a_chain_that_leads_backwards_is_read_in_its_order(volume: bytearray) -> None:
    assert FatFileSystem(MemoryDevice(volume), 0).open("FILE").read() == b"A" * CLUSTER + b"B" * CLUSTER
    start = table_start(volume)
    struct.pack_into("<HH", volume, start + 4, 0xFFFF, 2)  # 3 -> 2 -> end
    struct.pack_into("<H", volume, directory_entry(volume) + 26, 3)
    assert FatFileSystem(MemoryDevice(volume), 0).open("FILE").read() == b"B" * CLUSTER + b"A" * CLUSTER


def test_a_chain_that_loops_is_an_error(volume: bytearray) -> None:
    start = table_start(volume)
    struct.pack_into("<HH", volume, start + 4, 3, 2)  # 2 -> 3 -> 2
    with pytest.raises(FormatError, match="a loop"):
        FatFileSystem(MemoryDevice(volume), 0).open("FILE")
