r"""`boot-store` writes a whole store: only where one boot volume, one Windows and what they are called are certain.

Each disk here has lost its store, and has a second thing by which one of these is not certain: nothing is to be made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import vmrescue
from support.fault_disk import FaultDisk

if TYPE_CHECKING:
    from pathlib import Path

UEFI = r"\EFI\Microsoft\Boot\BCD"
SYSTEM32 = r"\Windows\System32"
HIVES = rf"{SYSTEM32}\config"
NO_STORE = {
    "gen1": {"remove": r"\Boot\BCD", "volume": "boot"},
    "gen2": {"remove": UEFI, "volume": "boot"},
}


def without_store(folder: Path, generation: str, *steps: dict[str, Any]) -> FaultDisk:
    folder.mkdir(exist_ok=True)
    disk = FaultDisk.copy_of(generation, folder)
    disk.make([NO_STORE[generation], *steps])
    return disk


def offered(image: FaultDisk, *data_disks: FaultDisk) -> bool:
    found = vmrescue.diagnose(image.path, data_disks=[disk.path for disk in data_disks], only=["boot-store"]).findings
    return any(each.changes for each in found)


def test_a_store_is_offered_where_windows_does_not_tell_its_name(tmp_path: Path) -> None:
    assert offered(without_store(tmp_path, "gen2", {"remove": rf"{HIVES}\SOFTWARE"}))


@pytest.mark.parametrize("zeros", [{"put": r"\Boot\BCD", "volume": "boot"}, {"put": UEFI}], ids=["of a BIOS", "on C:"])
def test_a_store_is_made_in_its_own_place_only(zeros: dict[str, Any], tmp_path: Path) -> None:
    """Zeros lie where the other firmware, or no firmware, looks for one: what they were is not known."""
    image = without_store(tmp_path, "gen2", zeros | {"size": 8192})
    diagnosis = vmrescue.diagnose(image.path, only=["boot-store"])
    assert (diagnosis.findings, diagnosis.not_checked) == ([], [])


@pytest.mark.parametrize("generation", ["gen1", "gen2"])
def test_a_store_is_offered_where_all_is_certain(generation: str, tmp_path: Path) -> None:
    assert offered(without_store(tmp_path, generation))


def test_an_efi_system_partition_that_no_firmware_can_read_takes_nothing_from_it(tmp_path: Path) -> None:
    assert offered(without_store(tmp_path, "gen2", {"run": ["sgdisk", "-t", "2:ef00", "{disk}"]}))


ELSE = [
    ("the loader is zeros", "gen2", [{"zero": rf"{SYSTEM32}\winload.efi"}]),
    ("the loader is not there", "gen1", [{"remove": rf"{SYSTEM32}\winload.exe"}]),
    ("the loader is one for x86", "gen2", [{"patch": rf"{SYSTEM32}\winload.efi", "at": 0x84, "hex": "4c01"}]),
    ("the boot manager is zeros", "gen2", [{"zero": r"\EFI\Microsoft\Boot\bootmgfw.efi", "volume": "boot"}]),
    ("the boot manager is not there", "gen1", [{"remove": r"\bootmgr", "volume": "boot"}]),
    ("no partition is active", "gen1", [{"bytes": 446, "hex": "00"}]),
    ("the partition is not typed as EFI system", "gen2", [{"run": ["sgdisk", "-t", "1:0700", "{disk}"]}]),
    (
        "another EFI system partition has a file system",
        "gen2",
        [
            {"run": ["mformat", "-i", "{disk}@@41M", "-T", "32768", "-h", "64", "-s", "32", "::"]},
            {"run": ["sgdisk", "-t", "2:ef00", "{disk}"]},
        ],
    ),
    ("the folder of the store is not there", "gen1", [{"remove": r"\Boot", "volume": "boot"}]),
    ("the disk has no signature by which a store could name it", "gen1", [{"bytes": 440, "zeros": 4}]),
    ("there is no Windows", "gen2", [{"move": HIVES, "to": rf"{SYSTEM32}\other"}]),
    ("Windows has no SYSTEM hive", "gen2", [{"remove": rf"{HIVES}\SYSTEM"}]),
]  # fmt: skip


@pytest.mark.parametrize(("generation", "steps"), [each[1:] for each in ELSE], ids=[each[0] for each in ELSE])
def test_no_store_is_offered_where(generation: str, steps: list[dict[str, Any]], tmp_path: Path) -> None:
    assert not offered(without_store(tmp_path, generation, *steps))


ON_A_DATA_DISK = [
    ("there is a second Windows", []),
    ("a volume cannot be read, which may have one", [{"zero_mft": True}]),
    ("a volume is encrypted, which may have one", [{"bytes": 3, "hex": b"-FVE-FS-".hex(), "volume": "os"}]),
]


@pytest.mark.parametrize("steps", [each[1] for each in ON_A_DATA_DISK], ids=[each[0] for each in ON_A_DATA_DISK])
def test_no_store_is_offered_where_on_a_data_disk(steps: list[dict[str, Any]], tmp_path: Path) -> None:
    image, data = without_store(tmp_path / "image", "gen2"), FaultDisk.copy_of("gen1", tmp_path)
    start, _ = data.ranges["os"]
    boot = data.path.read_bytes()[start : start + 512]
    cluster = int.from_bytes(boot[11:13], "little") * boot[13]
    table = {"bytes": int.from_bytes(boot[48:56], "little") * cluster, "zeros": 65536, "volume": "os"}
    data.make([table if "zero_mft" in each else each for each in steps])
    assert not offered(image, data)


def test_no_store_is_offered_for_a_windows_on_another_disk(tmp_path: Path) -> None:
    """Which of the machine's disks that will be, and by what name, only a start tells."""
    formatted = {"run": ["mkntfs", "-Q", "-F", "{os}"]}
    image, data = without_store(tmp_path / "image", "gen2", formatted), FaultDisk.copy_of("gen2", tmp_path)
    assert not offered(image, data)
