"""A driver without which a start ends comes back from the driver store, where that has one of the kernel's build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import vmrescue
from stub_pe import versioned
from support.fault_disk import OS, FaultDisk
from support.images import fingerprint
from support.machine import need_root
from support.machine_disk import mounted_ntfs
from vmrescue.errors import FormatError
from vmrescue.windows.file_version import file_version

if TYPE_CHECKING:
    from pathlib import Path

STORE = r"\Windows\System32\DriverStore\FileRepository"
DRIVER = r"\Windows\System32\drivers\storvsc.sys"
HASH = "0123456789abcdef"
OLDER, NEWER, OTHER = versioned(10, 0, 17763, 2), versioned(10, 0, 17763, 5), versioned(10, 0, 19041, 9)


def program(path: str, content: bytes) -> dict[str, Any]:
    return {"put": path, "hex": content.hex()}


def test_the_newest_of_the_kernels_build_is_put_back(quick_folder: Path) -> None:
    need_root()
    disk = FaultDisk.copy_of("gen2", quick_folder)
    disk.make(
        [
            program(r"\Windows\System32\ntoskrnl.exe", versioned(10, 0, 17763, 1)),
            program(f"{STORE}\\wstorvsc.inf_amd64_{HASH}\\storvsc.sys", OLDER),
            program(f"{STORE}\\wstorvsc.inf_amd64_{HASH[::-1]}\\storvsc.sys", NEWER),
            program(f"{STORE}\\storvsc.inf_amd64_{HASH}\\storvsc.sys", OTHER),
            program(f"{STORE}\\evil.inf_amd64_{HASH}\\storvsc.sys", NEWER),
            {"remove": DRIVER},
        ]
    )
    first = fingerprint(disk.path)
    found = vmrescue.diagnose(disk.path)
    assert found.boot is not None
    assert found.boot.stop is not None
    assert (found.boot.stop.stage, found.boot.stop.code) == ("storage", "0x7B")
    [finding] = [each for each in found.findings if each.check == "boot-file"]
    assert HASH[::-1] in finding.summary
    assert (finding.severity, finding.applicability) == ("critical", "on_request")

    receipt = vmrescue.repair(disk.path, only=["boot-file"])

    assert receipt.after is not None
    assert receipt.after.boot is not None
    assert receipt.after.boot.stop is None
    with mounted_ntfs(disk.path, *disk.ranges[OS]) as root:
        assert disk.find(root, DRIVER).read_bytes() == NEWER
    vmrescue.undo(disk.path)
    assert fingerprint(disk.path) == first


def test_one_of_another_build_or_without_a_version_is_not_taken(quick_folder: Path) -> None:
    need_root()
    disk = FaultDisk.copy_of("gen2", quick_folder)
    folder = f"{STORE}\\wstorvsc.inf_amd64_{HASH}"
    disk.make([program(f"{folder}\\storvsc.sys", NEWER), {"remove": DRIVER}])  # the kernel of the recipe has no version
    assert not [each for each in vmrescue.diagnose(disk.path).findings if each.check == "boot-file"]
    disk.make([program(r"\Windows\System32\ntoskrnl.exe", versioned(10, 0, 17763, 1))])
    disk.make([program(f"{folder}\\storvsc.sys", OTHER)])
    assert not [each for each in vmrescue.diagnose(disk.path).findings if each.check == "boot-file"]


@pytest.mark.parametrize("size", [0, 2, 63, 64, 100, 200, 330, 511, 512, 540, 600, 640])
def test_a_program_that_is_cut_has_no_version_and_ends_nothing(size: int) -> None:
    assert file_version(NEWER) == (10, 0, 17763, 5)
    with pytest.raises(FormatError):
        file_version(NEWER[:size])
