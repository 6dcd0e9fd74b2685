"""Where a boot sector says that its volume begins: written on FAT too, in both of its boot sectors, and judged."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

import vmrescue
from support.images import fingerprint
from support.machine import run
from vmrescue.errors import RefusedError
from vmrescue.plan import FileRef, ImageIdentity, Plan, SetHiddenSectors, SetPartitionType, Step

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.plan import Change

MIB = 1 << 20
START = 3 * MIB  # of the volume
HIDDEN_AT, BACKUP = 0x1C, 6 * 512  # mkfs.vfat's backup boot sector
VOLUME, DISK = FileRef(0, 1, ""), FileRef(0, 0, "")


def fat_disk(folder: Path) -> Path:
    """An MBR with one active FAT32 volume that holds a boot manager, and says that it begins at sector 63."""
    disk, volume = folder / "disk.raw", folder / "volume"
    volume.write_bytes(b"")
    with volume.open("r+b") as stream:
        stream.truncate(40 * MIB)
    run("mkfs.vfat", "-F", "32", "-s", "1", "-h", "63", volume)
    (folder / "bootmgr").write_bytes(b"\xfa\xf4" * 512)
    run("mcopy", "-i", volume, folder / "bootmgr", "::/bootmgr")
    with disk.open("wb") as stream:
        stream.truncate(48 * MIB)
        stream.seek(START)
        stream.write(volume.read_bytes())
    table = "label: dos\nlabel-id: 0x5a3c17e9\n3MiB,40MiB,c,*\n"
    run("sfdisk", "-q", "--no-reread", disk, stdin=table.encode())
    return disk


def plan(disk: Path, change: Change) -> Plan:
    found = vmrescue.diagnose(disk, only=["volume-state"]).disk
    return Plan(ImageIdentity(found.size, found.id), (Step("by hand", "as was asked", change),))


def test_both_boot_sectors_of_fat32_say_where_the_volume_begins(tmp_path: Path) -> None:
    disk = fat_disk(tmp_path)
    first = fingerprint(disk)
    [finding] = vmrescue.diagnose(disk, only=["hidden-sectors"]).findings
    assert (finding.severity, finding.applicability) == ("warning", "safe")

    assert vmrescue.repair(disk, only=["hidden-sectors"]).committed

    content = disk.read_bytes()[START : START + 40 * MIB]
    assert [struct.unpack_from("<I", content, place + HIDDEN_AT)[0] for place in (0, BACKUP)] == [START // 512] * 2
    (tmp_path / "volume").write_bytes(content)
    run("fsck.fat", "-n", tmp_path / "volume")
    assert "Hidden: 6144" in " ".join(run("minfo", "-i", tmp_path / "volume", "::").split()).replace(
        "hidden sectors", "Hidden"
    )
    assert vmrescue.diagnose(disk, only=["hidden-sectors"]).findings == []
    vmrescue.undo(disk)
    assert fingerprint(disk) == first


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (SetHiddenSectors(VOLUME, 63, 2048), "does not begin at sector 2048"),
        (SetHiddenSectors(VOLUME, 0, START // 512), "no longer fits"),
        (SetHiddenSectors(FileRef(0, 3, ""), 63, START // 512), "not on the disks given"),
        (SetPartitionType(VOLUME, "x", "y"), "the disk has no GPT"),
    ],
)
def test_what_is_not_so_is_refused(change: Change, why: str, tmp_path: Path) -> None:
    disk = fat_disk(tmp_path)
    first = fingerprint(disk)
    with pytest.raises(RefusedError, match=why):
        vmrescue.repair(disk, plan=plan(disk, change))
    assert fingerprint(disk) == first


def test_only_basic_data_becomes_the_efi_system_partition(gen2_healthy: Path) -> None:
    esp, data = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7"
    recovery = "de94bba4-06d1-4d40-a16a-bfd50179d6ac"
    with pytest.raises(RefusedError, match="become the other"):
        vmrescue.repair(gen2_healthy, plan=plan(gen2_healthy, SetPartitionType(VOLUME, esp, recovery)))
    with pytest.raises(RefusedError, match="no longer fits"):
        vmrescue.repair(gen2_healthy, plan=plan(gen2_healthy, SetPartitionType(VOLUME, data, esp)))
