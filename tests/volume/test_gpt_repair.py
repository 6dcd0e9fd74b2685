"""The broken parts of a GPT are written anew as sgdisk wrote them, byte for byte, from the copy that is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.machine import run
from support.memory_device import MemoryDevice
from vmrescue.errors import RefusedError
from vmrescue.volume import read_partition_table
from vmrescue.volume.gpt_repair import Part, restore, state_of, why_not_restored
from volume.disks import MIB, gpt_disk

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.volume.gpt_repair import GptState

SECTOR = 512
ARRAY = 32 * SECTOR
PRIMARY = SECTOR, SECTOR + ARRAY  # (byte, length): header and entries
BACKUP = 32 * MIB - SECTOR - ARRAY, SECTOR + ARRAY


@pytest.fixture
def whole(tmp_path: Path) -> bytes:
    return gpt_disk(tmp_path / "disk.img").read_bytes()


def erased(data: bytes, *ranges: tuple[int, int]) -> MemoryDevice:
    changed = bytearray(data)
    for at, length in ranges:
        changed[at : at + length] = bytes(length)
    return MemoryDevice(bytes(changed))


def state(device: MemoryDevice) -> GptState:
    found = state_of(device, read_partition_table(device))
    assert found is not None
    return found


def test_nothing_is_broken_of_what_sgdisk_wrote(whole: bytes) -> None:
    found = state(MemoryDevice(whole))
    assert (found.broken, found.differs, found.hybrid) == ((), False, False)


@pytest.mark.parametrize(
    ("ranges", "broken"),
    [
        ([PRIMARY], [Part.PRIMARY]),
        ([(SECTOR + 56, 1)], [Part.PRIMARY]),
        ([(2 * SECTOR + 33, 1)], [Part.PRIMARY]),
        ([BACKUP], [Part.BACKUP]),
        ([(32 * MIB - SECTOR, SECTOR)], [Part.BACKUP]),
        ([(0, SECTOR)], [Part.PROTECTIVE]),
        ([(0, SECTOR), PRIMARY], [Part.PROTECTIVE, Part.PRIMARY]),
        ([(0, SECTOR), BACKUP], [Part.PROTECTIVE, Part.BACKUP]),
    ],
    ids=str,
)
def test_what_is_erased_is_written_as_it_was(ranges: list[tuple[int, int]], broken: list[Part], whole: bytes) -> None:
    device = erased(whole, *ranges)
    found = state(device)
    assert list(found.broken) == broken
    restore(device, read_partition_table(device), found)
    assert device.read_at(0, device.size) == whole


def test_a_backup_that_was_cut_off_with_the_disks_end_is_written_at_the_new_end(whole: bytes, tmp_path: Path) -> None:
    device = MemoryDevice(whole[: 20 * MIB])
    found = state(device)
    assert found.broken == (Part.BACKUP,)
    partitions = read_partition_table(device).partitions
    restore(device, read_partition_table(device), found)
    assert read_partition_table(device).warnings == []
    assert read_partition_table(device).partitions == partitions
    image = tmp_path / "cut.img"
    image.write_bytes(device.read_at(0, device.size))
    assert "No problems found" in run("sgdisk", "-v", image)


def test_a_table_whose_partitions_the_disk_has_not_is_left(whole: bytes) -> None:
    device = MemoryDevice(whole[: 8 * MIB])
    table, found = read_partition_table(device), state(device)
    assert found.broken == (Part.BACKUP,)
    with pytest.raises(RefusedError, match="not all of its partitions lie on the disk"):
        restore(device, table, found)
    assert device.read_at(0, device.size) == whole[: 8 * MIB]


def test_the_end_of_a_disk_that_a_partition_needs_is_no_place_for_a_backup(whole: bytes) -> None:
    device = MemoryDevice(whole[: 16 * MIB])  # the last partition ends there
    assert why_not_restored(device, read_partition_table(device), state(device))


def test_two_whole_copies_that_differ_are_left(whole: bytes, tmp_path: Path) -> None:
    other = gpt_disk(tmp_path / "other.img", "-n1:0:+1M").read_bytes()
    found = state(MemoryDevice(whole[: -33 * SECTOR] + other[-33 * SECTOR :]))
    assert (found.broken, found.differs) == ((), True)


def test_the_table_of_a_hybrid_disk_is_left(tmp_path: Path) -> None:
    image = gpt_disk(tmp_path / "disk.img")
    run("sgdisk", "-h1:3", image)
    device = erased(image.read_bytes(), BACKUP)
    with pytest.raises(RefusedError, match="hybrid"):
        restore(device, read_partition_table(device), state(device))
