"""What is odd in a volume and does no harm is no reason to refuse an edit; what does harm is one."""

from __future__ import annotations

import json
import os
import struct
from typing import TYPE_CHECKING

import pytest

import vmrescue as library
from commands.here import output_of, vmrescue
from fat.volumes import new_volume as new_fat
from ntfs.test_check import (
    boot_copy_that_differs,
    broken_order,
    clusters_marked_free,
    clusters_used_twice,
    free_record_marked_used,
    index_block_marked_used,
    lost_clusters,
    mirror_that_differs,
    sound,
    wrong_size_in_directory,
)
from ntfs.volumes import write_sparse
from support.images import fingerprint
from support.machine import run, run_bytes
from support.machine_disk import mounted_ntfs
from support.memory_device import MemoryDevice
from support.ntfs_judges import mounted
from vmrescue.errors import RefusedError
from vmrescue.fat import FatVolume
from vmrescue.notes import damage_in
from vmrescue.ntfs import NtfsVolume

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NEW = b"new content, " * 700
START, SIZE = 33 << 20, 606 << 20  # of the OS volume of the sample of generation 1
SECTOR = 512


def cut_by_a_sector(device: MemoryDevice, volume: NtfsVolume) -> None:
    del device.data[-SECTOR:]


def partition_larger_than_its_volume(device: MemoryDevice, volume: NtfsVolume) -> None:
    device.data[-SECTOR:] = bytes(SECTOR) + b"what lies behind" * 64


def mirror_that_differs_in_slack(device: MemoryDevice, volume: NtfsVolume) -> None:
    mirror = volume.cluster_offset(volume.file_extents("$MFTMirr")[0][1])
    device.data[mirror + 1024 + 1000] ^= 1


@pytest.mark.parametrize(
    "oddity",
    [
        boot_copy_that_differs,
        cut_by_a_sector,
        partition_larger_than_its_volume,
        mirror_that_differs_in_slack,
        lost_clusters,
        free_record_marked_used,
        index_block_marked_used,
        wrong_size_in_directory,
    ],
)
def test_an_ntfs_volume_with_what_does_no_harm_is_edited(
    oddity: Callable[[MemoryDevice, NtfsVolume], None], tmp_path: Path
) -> None:
    device = MemoryDevice(sound())
    oddity(device, NtfsVolume(device))
    image = write_sparse(device.data, tmp_path / "volume.img")
    assert damage_in(NtfsVolume(device).check()) == []
    (tmp_path / "new").write_bytes(NEW)

    output_of("put", image, tmp_path / "new", "new", "--yes")
    with mounted(image) as root:
        assert (root / "new").read_bytes() == NEW
        assert (root / "two").read_bytes() == b"2" * 20000
    output_of("undo", image)
    assert image.read_bytes() == device.data


@pytest.mark.parametrize("damage", [clusters_marked_free, clusters_used_twice, broken_order, mirror_that_differs])
def test_an_ntfs_volume_with_what_does_harm_is_refused(
    damage: Callable[[MemoryDevice, NtfsVolume], None], tmp_path: Path
) -> None:
    device = MemoryDevice(sound())
    damage(device, NtfsVolume(device))
    image = write_sparse(device.data, tmp_path / "volume.img")
    (tmp_path / "new").write_bytes(NEW)
    done = vmrescue("put", image, tmp_path / "new", "new", "--yes")
    assert done.status == 4, done
    assert image.read_bytes() == device.data


def second_table(device: MemoryDevice) -> None:
    reserved, size = struct.unpack_from("<H", device.data, 14)[0], struct.unpack_from("<I", device.data, 36)[0]
    device.data[(reserved + size) * SECTOR + 4000] ^= 1


def lost_cluster_of_fat(device: MemoryDevice) -> None:
    for table in FatVolume(device)._boot.table_offsets:
        device.write_at(table + 4 * 5000, b"\xff\xff\xff\x0f")


FAT_ODDITIES: dict[str, Callable[[MemoryDevice], None]] = {
    "the backup boot sector differs": lambda device: device.write_at(6 * SECTOR + 100, b"different"),
    "FSInfo's counts are wrong": lambda device: device.write_at(SECTOR + 488, struct.pack("<II", 1234, 0xFFFFFF0)),
    "FSInfo has no signature": lambda device: device.write_at(SECTOR, b"bad"),
    "the second table differs": second_table,
    "clusters are lost": lost_cluster_of_fat,
}


@pytest.mark.parametrize("oddity", FAT_ODDITIES)
def test_a_fat_volume_with_what_does_no_harm_is_edited(oddity: str, tmp_path: Path) -> None:
    device, volume = new_fat(32)
    volume.create_file("old", b"old content")
    FAT_ODDITIES[oddity](device)
    problems = FatVolume(device).check()
    assert problems
    assert damage_in(problems) == []
    image = write_sparse(device.data, tmp_path / "volume.img")
    (tmp_path / "new").write_bytes(NEW)

    output_of("put", image, tmp_path / "new", "new", "--yes")
    assert run_bytes("mtype", "-i", str(image), "::new") == NEW
    assert run_bytes("mtype", "-i", str(image), "::old") == b"old content"
    assert "new content" not in run("fsck.vfat", "-n", image, ok=(0, 1))
    output_of("undo", image)
    assert image.read_bytes() == device.data


@pytest.mark.parametrize("there", ["nothing", "an older copy", "something else"])
def test_a_missing_copy_of_the_boot_sector_is_a_finding_and_written_on_request(there: str, gen1_broken: Path) -> None:
    from vmrescue.disk import open_disk

    content = {"nothing": bytes(SECTOR), "something else": b"other data" + bytes(SECTOR - 10)}
    disk = open_disk(gen1_broken, writable=True)
    boot = disk.read_at(START, SECTOR)
    sectors = struct.unpack_from("<Q", boot, 0x28)[0]
    place = START + sectors * SECTOR
    assert disk.read_at(place, SECTOR) == boot
    disk.write_at(place, content.get(there, boot[:100] + bytes(SECTOR - 100)))
    disk.close()

    found = json.loads(vmrescue("diagnose", gen1_broken, "--format", "json").out)["findings"]
    (copy,) = (finding for finding in found if finding["check"] == "boot-copy")
    assert copy["severity"] == "advice"
    assert copy["evidence"]["position"] == place
    if there == "something else":
        assert copy["changes"] == []
        return
    before = gen1_broken.read_bytes()
    output_of("repair", gen1_broken, "--only", "boot-copy", "--yes")
    disk = open_disk(gen1_broken)
    assert disk.read_at(place, SECTOR) == boot
    disk.close()
    output_of("undo", gen1_broken)
    assert gen1_broken.read_bytes() == before


def test_a_disk_that_is_cut_by_the_last_sector_of_its_last_partition_is_repaired(gen1_broken: Path) -> None:
    """All that is missing is the copy of the boot sector. The table is not changed: it says more than there is."""
    image = gen1_broken.rename(gen1_broken.with_suffix(".raw"))
    os.truncate(image, START + SIZE - SECTOR)
    before = fingerprint(image)
    diagnosis = library.diagnose(image)
    assert any(f"{SECTOR} of its {SIZE} bytes are missing" in warning for warning in diagnosis.warnings)
    assert {each.check for each in diagnosis.findings} >= {"page-file", "bad-memory", "crash-dump"}

    assert library.repair(image).committed
    with mounted_ntfs(image, START) as root:
        assert not (root / "pagefile.sys").exists()
    library.undo(image)
    assert fingerprint(image) == before
    done = vmrescue("expand", image, "--size", "1G", "--yes")
    assert (done.status, "the partition table is not in order" in done.err) == (4, True), done.err

    os.truncate(image, START + SIZE - 2 * SECTOR)
    before = fingerprint(image)
    diagnosis = library.diagnose(image)
    assert {each.check for each in diagnosis.not_checked} >= {"free-space", "fragmentation", "page-file"}
    with pytest.raises(RefusedError, match="cut short"):  # even the boot store, on a volume of its own
        library.repair(image)
    assert fingerprint(image) == before
