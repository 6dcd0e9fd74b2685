"""Firmwares judge what a repair of tables, boot sectors and EFI system partitions makes: it starts again.

Faults of `tests/faults/` on disks whose boot code tells on the serial port how far it came. Where the recipe says that
the boot ends at the firmware, the firmware must not start the disk as it was either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.command import vmrescue
from support.fault import Fault, load
from support.fault_disk import BOOT, STORES, FaultDisk
from support.firmware_judge import bios_says, give_programs, store_line, uefi_says
from support.machine import need_root, need_tool, run, run_bytes

if TYPE_CHECKING:
    from pathlib import Path

BIOS = (
    "healthy-gen1", "no-active-partition", "two-active-partitions", "active-partition-is-windows",
    "boot-sector-without-a-signature", "hidden-sectors-of-another-place",
)  # fmt: skip
UEFI = (
    "healthy-gen2", "efi-boot-managers-missing", "one-efi-boot-manager-missing", "boot-store-missing-gen2",
    "esp-typed-as-basic-data", "gpt-protective-mbr-erased", "gpt-protective-mbr-elsewhere", "esp-hidden-from-uefi",
    "esp-boot-sector-erased",
)  # fmt: skip
HEALTHY = ("healthy-gen1", "healthy-gen2")
STARTED = ["MBR", "volume at sector 00000800", "boot code is whole"]
MANAGERS = ["bootx64.efi", "bootmgfw.efi"]


def broken(fault: Fault, folder: Path) -> Path:
    """The fault's disk, raw, with programs that a firmware can start."""
    made = FaultDisk.copy_of(fault.recipe.disk, folder)
    give_programs(made)
    made.make(fault.recipe.make)
    return made.path


def repaired(fault: Fault, image: Path) -> None:
    """The repair that the recipe asks for; a healthy disk is made larger, which changes its table and a volume."""
    if fault.recipe.expect.stop and fault.recipe.repair is None:
        return  # it is told, and nothing is written
    if fault.name in HEALTHY:
        done = vmrescue("expand", image, "--size", "1G", "--yes")
    else:
        assert fault.recipe.repair is not None
        done = vmrescue("repair", image, "--yes", *fault.recipe.repair.options)
    assert done.returncode in (0, 1), done.stderr


def ends_at_firmware(fault: Fault) -> bool:
    return fault.recipe.expect.stop.startswith("firmware")


@pytest.mark.parametrize("name", BIOS)
def test_seabios_starts_what_was_repaired(name: str, quick_folder: Path) -> None:
    need_root()
    fault = load(name)
    image = broken(fault, quick_folder)
    assert (bios_says(image) == STARTED) == (name in HEALTHY)

    repaired(fault, image)

    assert bios_says(image) == STARTED


def test_ovmf_starts_what_was_repaired_and_reads_its_boot_store(quick_folder: Path) -> None:
    need_root()
    need_tool("OVMF_CODE_4M.fd")
    faults = [load(name) for name in UEFI]
    before, after = [], []
    for fault in faults:
        folder = quick_folder / fault.name
        folder.mkdir()
        after.append(broken(fault, folder))
        before.append(folder / "before.raw")
        run("cp", "--sparse=always", after[-1], before[-1])
        repaired(fault, after[-1])

    said = uefi_says([*before, *after])

    for fault, first, second, image in zip(faults, said[: len(faults)], said[len(faults) :], after, strict=True):
        mended = fault.name in HEALTHY or fault.recipe.repair is not None
        assert second == ([*MANAGERS, store_line(store_of(image))] if mended else []), fault.name
        assert (first == second) == (fault.name in HEALTHY or not mended), fault.name
        assert not (first and ends_at_firmware(fault)), fault.name


def store_of(image: Path) -> bytes:
    """The boot store in the EFI system partition, as mtools reads it."""
    offset, _ = FaultDisk.of(image, "gen2").ranges[BOOT]
    return run_bytes("mtype", "-i", f"{image}@@{offset}", f"::/{STORES['gen2']}")
