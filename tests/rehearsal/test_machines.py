"""Windows for other machines than x64: their boot managers have other names, and those of x64 start nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import vmrescue
from stub_pe import BOOT_APPLICATION, EFI_APPLICATION, NATIVE, stub
from support.fault_disk import BOOT, OS, FaultDisk

if TYPE_CHECKING:
    from pathlib import Path

DEFAULTS = {"arm64": "bootaa64.efi", "x86": "bootia32.efi"}
SPELLED = {"arm64": "ARM64", "x86": "x86"}


@pytest.fixture(params=DEFAULTS)
def machine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def disk(machine: str, quick_folder: Path) -> FaultDisk:
    """A healthy disk whose every program is for this machine."""
    made = FaultDisk.copy_of("gen2", quick_folder)
    with made.files(OS) as root:
        for path in [each for each in root.rglob("*") if each.is_file() and each.read_bytes()[:2] == b"MZ"]:
            loads = {"winload.efi": BOOT_APPLICATION, "bootmgfw.efi": EFI_APPLICATION}
            path.write_bytes(stub(path.name, loads.get(path.name, NATIVE), machine))
    with made.files(BOOT) as root:
        manager = stub("bootmgfw.efi", EFI_APPLICATION, machine)
        (root / "EFI/Microsoft/Boot/bootmgfw.efi").write_bytes(manager)
        (root / "EFI/Boot/bootx64.efi").unlink()
        (root / "EFI/Boot" / DEFAULTS[machine]).write_bytes(manager)
    return made


def test_a_healthy_disk_of_another_machine_gives_no_alarm(disk: FaultDisk) -> None:
    diagnosis = vmrescue.diagnose(disk.path)

    assert [finding.summary for finding in diagnosis.findings] == []
    assert [fact for fact in vmrescue.rehearse(disk.path).facts() if fact.state != "ok"] == []


def test_the_default_boot_manager_of_that_machine_is_what_is_put_back(disk: FaultDisk, machine: str) -> None:
    name = DEFAULTS[machine]
    with disk.files(BOOT) as root:
        content = (root / "EFI/Boot" / name).read_bytes()
        (root / "EFI/Boot" / name).unlink()

    vmrescue.repair(disk.path, vmrescue.diagnose(disk.path, only=["boot-file"]).plan(only=["boot-file"]))

    with disk.files(BOOT) as root:
        assert {path.name.lower(): path.read_bytes() for path in (root / "EFI/Boot").iterdir()} == {name: content}


def test_a_boot_manager_of_x64_starts_nothing_there(disk: FaultDisk, machine: str) -> None:
    with disk.files(BOOT) as root:
        for path in ("EFI/Microsoft/Boot/bootmgfw.efi", f"EFI/Boot/{DEFAULTS[machine]}"):
            (root / path).write_bytes(stub("bootmgfw.efi", EFI_APPLICATION))

    stop = vmrescue.rehearse(disk.path).stop

    assert stop is not None
    assert stop.stage == "firmware"
    assert f"it is a program for x64, not for {SPELLED[machine]}" in stop.reason
