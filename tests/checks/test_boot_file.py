"""boot-file writes a copy only where it is whole, and for the machine that the Windows is for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import vmrescue
from support.fault_disk import FaultDisk
from support.images import fingerprint
from support.machine import need_root

if TYPE_CHECKING:
    from pathlib import Path

    from support.fault_disk import Step

LOADER, SPARE = r"\Windows\System32\winload.efi", r"\Windows\System32\Boot\winload.efi"
PE, X86 = (
    128,
    "4c01",
)  # where the samples' programs have their PE header; Microsoft, "PE Format": IMAGE_FILE_MACHINE_I386
GONE: Step = {"remove": LOADER}
OF_X86: list[Step] = [
    {"patch": rf"\Windows\System32\{name}", "at": PE + 4, "hex": X86} for name in ("ntoskrnl.exe", "hal.dll")
]


@pytest.mark.parametrize(
    ("steps", "offered"),
    [
        ([GONE], True),
        ([GONE, {"zero": SPARE}], False),
        ([GONE, {"cut": SPARE, "size": 200}], False),
        ([GONE, {"patch": SPARE, "at": PE + 4, "hex": X86}], False),
        ([GONE, {"remove": SPARE}], False),
        ([GONE, *OF_X86, {"remove": r"\Windows\System32\ntdll.dll"}], False),  # the copy is for x64
        ([GONE, {"zero": r"\Windows\System32\ntoskrnl.exe"}, {"zero": r"\Windows\System32\hal.dll"}], False),
    ],
    ids=["whole", "zeros", "cut short", "for another machine", "none", "a Windows of x86", "of a Windows not known"],
)
def test_a_copy_that_would_not_start_is_not_written(steps: list[Step], offered: bool, quick_folder: Path) -> None:
    need_root()
    disk = FaultDisk.copy_of("gen2", quick_folder)
    disk.make(steps)
    before = fingerprint(disk.path)
    found = [each for each in vmrescue.diagnose(disk.path).findings if each.check == "boot-file" and each.changes]
    named = {change.file.path.upper() for each in found for change in each.changes}
    assert (LOADER.strip("\\").upper() in named) == offered
    assert fingerprint(disk.path) == before
