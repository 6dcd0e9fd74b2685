"""A default loader that leads to no Windows: the commands that are advised have it start the one that is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import vmrescue
from support.command import output_of
from support.fault import load
from support.fault_play import make
from support.machine import need_root
from vmrescue.diagnosis.command_line import next_commands

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.checks import Finding


def lost_loader(diagnosis: vmrescue.Diagnosis) -> list[Finding]:
    return [each for each in diagnosis.findings if each.check == "missing-part" and "loader" in each.summary]


@pytest.mark.parametrize(
    ("fault", "commands"),
    [
        ("ramdisk-larger-than-memory", 1),
        ("systemroot-names-no-folder", 1),
        ("windows-in-a-folder-of-another-name", 2),
    ],
)
def test_what_is_advised_has_the_store_start_the_windows_that_is_there(
    fault: str, commands: int, tmp_path: Path
) -> None:
    need_root()
    image = make(load(fault), tmp_path)
    diagnosis = vmrescue.diagnose(image)
    [finding] = lost_loader(diagnosis)
    advised = next_commands(diagnosis, finding)
    assert len(advised) == commands
    assert diagnosis.boot is not None
    assert diagnosis.boot.stop is not None
    for words in advised:
        output_of(*words[1:], status=(0, 1))
    after = vmrescue.diagnose(image)
    assert lost_loader(after) == []
    assert after.boot is not None
    assert after.boot.stop is None


def test_where_another_check_mends_the_loader_that_is_said(tmp_path: Path) -> None:
    need_root()
    diagnosis = vmrescue.diagnose(make(load("osdevice-not-set"), tmp_path))
    [finding] = lost_loader(diagnosis)
    assert [words[:4] for words in next_commands(diagnosis, finding)] == [
        ("vmrescue", "repair", "--only", "boot-device")
    ]
