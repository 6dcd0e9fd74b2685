"""Disks whose controller is none of the known machines': whether it is reached, the machine decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import vmrescue
from stub_pe import NATIVE, stub
from support.fault_disk import OS, FaultDisk

if TYPE_CHECKING:
    from pathlib import Path

KNOWN = ("intelide", "pciide", "vmbus", "storvsc", "storahci", "stornvme")
OFF = "".join(f'[\\ControlSet001\\Services\\{name}]\n"Start"=dword:00000003\n\n' for name in KNOWN)
DRIVER = r"""[\ControlSet001\Services\{name}]
"Type"=dword:00000001
"Start"=dword:00000000
"ErrorControl"=dword:00000001
"Group"="{group}"
"ImagePath"="System32\\drivers\\{name}.sys"
"""
NO_AGENT = "[-\\Microsoft\\GuestAgent]\n"


@pytest.mark.parametrize(
    ("name", "group", "stop"),
    [
        ("msahci", "SCSI miniport", None),  # behind lsi_sas in the lists of what a Windows 7 has loaded
        ("xenvbd", "Scsi Miniport", None),  # its INF, github.com/xenserver/win-xenvbd
        ("viaide", "System Bus Extender", None),  # as pciide and intelide in a SYSTEM hive of Windows 10
        ("amdxata", "SCSI miniport", "0x7B"),  # it starts on every machine, and is no controller's
        ("acme", "System Bus Extender", "0x7B"),
    ],
)
def test_another_controllers_driver_makes_it_unknown(
    name: str, group: str, stop: str | None, quick_folder: Path
) -> None:
    disk = FaultDisk.copy_of("gen1", quick_folder)
    system = f"{OFF}{DRIVER.format(name=name, group=group)}"
    disk.make([{"registry": "SYSTEM", "text": system}, {"registry": "SOFTWARE", "text": NO_AGENT}])
    with disk.files(OS) as root:
        (root / f"Windows/System32/drivers/{name}.sys").write_bytes(stub(f"{name}.sys", NATIVE))

    rehearsal = vmrescue.rehearse(disk.path)

    assert (rehearsal.stop.code if rehearsal.stop else None) == stop
    assert {stage.id: stage.state for stage in rehearsal.stages}["storage"] == ("stop" if stop else "unknown")
