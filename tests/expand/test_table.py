"""Partition tables brought to the end of a longer disk: sgdisk and sfdisk find them in order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from support.machine import run
from vmrescue.errors import RefusedError
from vmrescue.image.transports.file import FileDevice
from vmrescue.volume import read_partition_table
from vmrescue.volume.extending import extend_partition, furthest_end, move_backup
from vmrescue.volume.mbr import chs
from volume.disks import MIB, blank, gpt_disk, loop_device, mbr_disk

if TYPE_CHECKING:
    from pathlib import Path

LAST_FREE = "label: dos\nlabel-id: 0x1a2b3c4d\nstart=2048, size=4096, type=7, bootable\nstart=6144, size=8192, type=7\n"


def lengthen(path: Path, size: int, number: int) -> None:
    """Makes the image `size` bytes long, and a partition as long as that allows."""
    device = FileDevice(path, writable=True)
    device.resize(size)
    table = read_partition_table(device)
    extend_partition(device, table, number, furthest_end(table, size))
    device.close()


def partitions(path: str | Path) -> list[dict[str, Any]]:
    """As sfdisk lists them, without the names of their devices."""
    listed = json.loads(run("sfdisk", "--json", path))["partitiontable"]["partitions"]
    return [{name: value for name, value in each.items() if name != "node"} for each in listed]


def test_the_last_partition_of_a_gpt_grows_and_nothing_else_changes(tmp_path: Path) -> None:
    path = gpt_disk(tmp_path / "disk.img")
    run("sgdisk", "-t", "4:0700", path)
    before = partitions(path)
    lengthen(path, 100 * MIB, 4)
    after = partitions(path)
    assert "No problems found" in run("sgdisk", "-v", path)
    assert (after[3]["start"] + after[3]["size"]) * 512 == 99 * MIB
    assert [*after[:3], after[3] | {"size": 0}] == [*before[:3], before[3] | {"size": 0}]


def test_the_backup_alone_moves_and_the_old_one_is_gone(tmp_path: Path) -> None:
    path = gpt_disk(tmp_path / "disk.img")
    before = partitions(path)
    device = FileDevice(path, writable=True)
    device.resize(64 * MIB)
    move_backup(device, read_partition_table(device))
    old_place = device.read_at(32 * MIB - 33 * 512, 33 * 512)
    device.close()
    assert "No problems found" in run("sgdisk", "-v", path)
    assert partitions(path) == before
    assert not any(old_place)


def test_a_table_of_4096_byte_sectors_grows(tmp_path: Path) -> None:
    path = blank(tmp_path / "disk.img", 64 * MIB)
    with loop_device(path, 4096) as device:
        run("sgdisk", "-n1:256:+8M", "-t1:ef00", "-n2:0:+16M", "-t2:0700", device)
    lengthen(path, 200 * MIB, 2)
    with loop_device(path, 4096) as device:
        assert "No problems found" in run("sgdisk", "-v", device)
        last = partitions(device)[1]
    assert (last["start"] + last["size"]) * 4096 == 199 * MIB


def test_the_last_partition_of_an_mbr_grows_and_nothing_else_changes(tmp_path: Path) -> None:
    path = mbr_disk(tmp_path / "disk.img", LAST_FREE)
    before = partitions(path)
    lengthen(path, 20 * 1024 * MIB, 2)
    run("sfdisk", "--verify", path)
    after = partitions(path)
    assert (after[1]["start"] + after[1]["size"]) * 512 == 20 * 1024 * MIB - MIB
    assert [after[0], after[1] | {"size": 0}] == [before[0], before[1] | {"size": 0}]


@pytest.mark.parametrize(
    ("sector", "expected"),
    [(0, "00 01 00"), (62, "00 3f 00"), (63, "01 01 00"), (1023 * 255 * 63, "00 c1 ff"), (1024 * 255 * 63, "fe ff ff")],
)
def test_a_sectors_place_in_the_old_geometry(sector: int, expected: str) -> None:
    assert chs(sector).hex(" ") == expected


def test_what_would_not_fit_or_lose_something_is_refused(tmp_path: Path) -> None:
    path = gpt_disk(tmp_path / "disk.img")
    run("sgdisk", "-t", "4:0700", path)
    device = FileDevice(path, writable=True)
    before = path.read_bytes()
    table = read_partition_table(device)
    with pytest.raises(RefusedError, match="partition 4 lies where partition 3 is to be"):
        extend_partition(device, table, 3, 30 * MIB)
    with pytest.raises(RefusedError, match="behind what the partitions"):
        extend_partition(device, table, 4, 32 * MIB)
    with pytest.raises(RefusedError, match="cannot be extended"):
        extend_partition(device, table, 4, table.partitions[3].end)
    device.close()
    assert path.read_bytes() == before


def test_a_hybrid_mbr_is_refused(tmp_path: Path) -> None:
    path = gpt_disk(tmp_path / "disk.img")
    run("sgdisk", "--hybrid=3", path)
    with pytest.raises(RefusedError, match="hybrid MBR"):
        lengthen(path, 64 * MIB, 4)
