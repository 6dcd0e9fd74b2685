"""Disks as the Setup of each Windows lays them out, from 7 to Server 2025: no stop, no oddity, no alarm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import build
import layouts
import vmrescue
from support.campaign import whole
from support.machine import need_root, need_tools
from vmrescue.checks.rules import CHECKS

if TYPE_CHECKING:
    from pathlib import Path

    from layouts import Layout

ALL = whole("VMRESCUE_LAYOUTS")  # by hand: each of them
SOME = ("2008-r2-one-partition", "8.1", "2012-r2-gen-2", "10-recovery-behind", "2025-gen-2")  # each order of partitions


@pytest.mark.parametrize(
    "layout", [each for each in layouts.LAYOUTS if ALL or each.name in SOME], ids=lambda it: it.name
)
def test_a_healthy_disk_of_each_windows_gives_no_alarm(layout: Layout, quick_folder: Path) -> None:
    need_root()
    need_tools(*build.PROGRAMS)
    disk = layouts.build(layout, quick_folder)
    diagnosis = vmrescue.diagnose(disk)
    assert diagnosis.windows is not None
    assert diagnosis.windows.product == layout.product.replace("Windows 10 Enterprise", "Windows 11 Enterprise")
    assert diagnosis.generation == (2 if layout.uefi else 1)
    assert (diagnosis.healthy, diagnosis.not_checked, diagnosis.warnings) == (True, [], [])
    assert [each.summary for each in diagnosis.findings if CHECKS[each.check].family == "boot"] == []
    machines = ["azure", *(["nvme"] if "stornvme" not in layout.absent else [])]
    for rehearsal in (vmrescue.rehearse(disk, platform=each, ram=4 << 30) for each in ("auto", *machines)):
        assert (rehearsal.stop, rehearsal.later) == (None, None)
        assert [fact for fact in rehearsal.facts() if fact.state != "ok"] == []
        recovery = next(fact.said for fact in rehearsal.stage("boot-manager").facts if fact.what == "recovery")
        assert "after two starts that fail: \\Recovery\\WindowsRE\\Winre.wim on partition" in recovery
