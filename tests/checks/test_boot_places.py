r"""A boot sector, the active flag, a partition's type: each is written only where it is certain that it is meant.

The disks have a fault that is mended elsewhere (`tests/faults/`), and something by which it is not certain here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import vmrescue
from support.fault_disk import FaultDisk

if TYPE_CHECKING:
    from pathlib import Path

LABEL = b"bluestore block device\n".ljust(512, b"\0").hex()  # how a disk of Ceph begins
SECOND_MANAGER = {"put": r"\bootmgr", "from": r"\Windows\Boot\PCAT\bootmgr"}
SECOND_EFI_MANAGER = (
    "mcopy -n -i {disk}@@1M ::/EFI/Microsoft/Boot/bootmgfw.efi {disk}.efi && mformat -i {disk}@@41M -T 32768 -h 64 "
    "-s 32 :: && mmd -i {disk}@@41M ::/EFI ::/EFI/Microsoft ::/EFI/Microsoft/Boot && mcopy -i {disk}@@41M {disk}.efi "
    "::/EFI/Microsoft/Boot/bootmgfw.efi && sgdisk -t 1:0700 -t 2:0700 {disk}"
)
SEARCHED_FOR = r"""
[\Objects\{0f6f5a2e-3c1d-11ef-9a77-00155d3a2b01}\Elements\21000001]
"Element"=hex:00,00,00,00,00,00,00,00,00,00,00,00,00,00,00,00,08,00,00,00,00,00,00,00,1e,00,00,00,00,00,00,00,00,00,00,00,02,00,00,22,00,00,00,00,00,00
"""  # osdevice: wherever the folder of Windows is


def made(folder: Path, generation: str, *steps: dict[str, Any]) -> FaultDisk:
    folder.mkdir(exist_ok=True)
    disk = FaultDisk.copy_of(generation, folder)
    disk.make(steps)
    return disk


def found(check: str, image: FaultDisk, *data_disks: FaultDisk) -> list[bool]:
    """Of each finding of the check, whether it has changes."""
    diagnosis = vmrescue.diagnose(image.path, data_disks=[disk.path for disk in data_disks], only=[check])
    return [bool(each.changes) for each in diagnosis.findings]


@pytest.mark.parametrize("active", [True, False])
def test_nothing_is_written_over_what_another_system_put_on_a_data_disk(active: bool, tmp_path: Path) -> None:
    """Whether a partition of it is active says nothing: no start of this machine goes by that."""
    image = made(tmp_path / "image", "gen2")
    data = made(tmp_path, "gen1", {"bytes": 0, "hex": LABEL, "volume": "boot" if active else "os"})
    assert found("boot-sector", image, data) == [False]


def test_a_volume_without_a_name_is_not_what_an_entry_without_one_means(tmp_path: Path) -> None:
    """The entry's device is searched for, and the data disk has no signature by which an entry could name it."""
    image = made(tmp_path / "image", "gen2", {"registry": "BCD", "text": SEARCHED_FOR})
    data = made(tmp_path, "gen1", {"bytes": 440, "zeros": 4}, {"bytes": 0, "hex": LABEL, "volume": "os"})
    assert found("boot-sector", image, data) == [False]


def test_a_boot_sector_that_is_still_of_ntfs_is_mended_on_a_data_disk_too(tmp_path: Path) -> None:
    """Its program is gone, as a tool that writes a boot record to the wrong place leaves it."""
    image = made(tmp_path / "image", "gen2")
    data = made(tmp_path, "gen1", {"bytes": 0x54, "zeros": 512 - 0x54, "volume": "os"})
    assert found("boot-sector", image, data) == [True]


def test_the_copy_of_a_boot_sector_is_written_to_no_efi_system_partition(tmp_path: Path) -> None:
    """Firmware reads FAT there: what an NTFS volume left behind it is of no use to it."""
    disk = made(tmp_path, "gen2", {"bytes": 0, "zeros": 512, "volume": "os"})
    assert found("boot-sector", disk) == [True]
    disk.make([{"run": ["sgdisk", "-t", "3:ef00", "{disk}"]}])
    assert found("boot-sector", disk) == []


@pytest.mark.parametrize(
    ("steps", "findings"),
    [
        ([{"bytes": 446, "hex": "00"}], [True]),
        ([{"bytes": 446, "hex": "00"}, SECOND_MANAGER], [True]),
        ([{"bytes": 446, "hex": "00"}, {"remove": r"\bootmgr", "volume": "boot"}], []),
        ([{"bytes": 462, "hex": "80"}], [True]),
        ([{"bytes": 462, "hex": "80"}, {"remove": r"\bootmgr", "volume": "boot"}], []),
    ],
    ids=["none active", "two managers, one store", "no manager", "two active", "two active, no manager"],
)
def test_the_one_partition_with_a_boot_manager_is_made_active(
    steps: list[dict[str, Any]], findings: list[bool], tmp_path: Path
) -> None:
    assert found("active-partition", made(tmp_path, "gen1", *steps)) == findings


def test_of_two_partitions_with_boot_manager_and_store_none_is_made_active(tmp_path: Path) -> None:
    disk = made(tmp_path, "gen1", {"bytes": 446, "hex": "00"}, SECOND_MANAGER)
    with disk.files("boot") as root:
        store = (root / "Boot/BCD").read_bytes()
    disk.make([{"put": r"\Boot\BCD", "hex": store.hex()}])
    assert found("active-partition", disk) == [False]
    [finding] = vmrescue.diagnose(disk.path, only=["active-partition"], store="1").findings
    assert finding.changes, "a person says which"


def test_of_two_partitions_with_a_boot_manager_none_is_given_the_type(tmp_path: Path) -> None:
    disk = made(tmp_path, "gen2", {"run": ["sgdisk", "-t", "1:0700", "{disk}"]})
    assert found("esp-type", disk) == [True]
    disk.make([{"run": ["sh", "-c", SECOND_EFI_MANAGER]}])
    assert found("esp-type", disk) == [False]


def test_of_two_whole_partition_tables_that_differ_none_is_written_over(tmp_path: Path) -> None:
    """Which of the two is meant, no checksum tells: the one that another tool wrote last, or the other."""
    disk = made(tmp_path, "gen2")
    with disk.path.open("r+b") as stream:
        place = stream.seek(-33 * 512, 2)
        backup = stream.read()
        disk.make([{"run": ["sgdisk", "-c", "3:other", "{disk}"]}])
        stream.seek(place)
        stream.write(backup)
    assert found("partition-table", disk) == [False]


def test_a_lost_backup_of_a_gpt_is_written_anew_but_not_beside_a_hybrid_mbr(tmp_path: Path) -> None:
    """Such an MBR says in its own way what is on the disk: whoever keeps the two alike does so by hand."""
    disk = made(tmp_path, "gen2", {"bytes": -512, "zeros": 512})
    assert found("partition-table", disk) == [True]
    hybrid = made(tmp_path / "hybrid", "gen2", {"run": ["sgdisk", "-h", "3", "{disk}"]}, {"bytes": -512, "zeros": 512})
    assert found("partition-table", hybrid) == [False]
