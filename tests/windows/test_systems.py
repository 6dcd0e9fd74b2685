"""Which Windows there are on the disks, whether or not one of them boots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.command import output_of
from support.machine_disk import mounted_ntfs
from vmrescue import Policy, diagnose

if TYPE_CHECKING:
    from pathlib import Path

OS = 33 << 20, 606 << 20  # of the sample: where the volume of Windows begins, and its length, in bytes


def test_an_older_windows_beside_the_one_that_boots_is_told_though_no_loader_names_it(gen1_broken: Path) -> None:
    _add_windows(gen1_broken, "WINNT")
    said = output_of("info", gen1_broken)
    assert said.index("\\Windows on partition 2") < said.index("\\WINNT on partition 2")


def test_what_is_so_of_a_volume_is_told_once_though_two_windows_are_on_it(gen1_broken: Path) -> None:
    _add_windows(gen1_broken, "WINNT")
    diagnosis = diagnose(gen1_broken, policy=Policy(min_free=600 << 20, max_pieces=0))
    told = [each.check for each in diagnosis.findings if each.check in ("free-space", "fragmentation")]
    assert sorted(told) == ["fragmentation", "free-space"]
    assert any("WINNT" in each.summary for each in diagnosis.findings)


def _add_windows(image: Path, name: str) -> None:
    with mounted_ntfs(image, *OS, writable=True) as root:
        hive = (root / "Windows/System32/config/SYSTEM").read_bytes()
        (root / name / "System32/config").mkdir(parents=True)
        (root / name / "System32/config/SYSTEM").write_bytes(hive)
