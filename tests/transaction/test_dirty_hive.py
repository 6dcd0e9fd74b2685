"""A VM that died leaves a dirty hive: it is read and repaired with its logs replayed."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from support.command import DONE, output_of, vmrescue
from support.images import fingerprint
from support.machine import run
from support.machine_disk import loop_device, mounted_ntfs
from support.real_data import corpus

if TYPE_CHECKING:
    from pathlib import Path

GEN1_OS = 33 << 20, 606 << 20
CONFIG = "Windows/System32/config"


@pytest.fixture
def dirty(gen1_broken: Path) -> Path:
    """The sample with a real Windows 10 SYSTEM hive that was not written out, and its two logs."""
    with mounted_ntfs(gen1_broken, *GEN1_OS, writable=True) as root:
        (root / "Windows/Temp/fill.bin").unlink()
        for name in ("", ".LOG1", ".LOG2"):
            (root / CONFIG / f"SYSTEM{name}").write_bytes(corpus(f"hives/SYSTEM_B{name}"))
    return gen1_broken


def test_a_dirty_hive_is_replayed_and_edited_in_one_repair(dirty: Path) -> None:
    before = fingerprint(dirty)
    text = output_of("diagnose", dirty, "--only", "hive-log", "--only", "crash-dump", status=1)
    assert r"hive-log: the hive \Windows\System32\config\SYSTEM is dirty" in text
    output_of("repair", dirty, "--yes", status=DONE)
    assert "hive-log" not in output_of("diagnose", dirty, "--only", "hive-log")
    with loop_device(dirty, *GEN1_OS) as device:
        run("ntfsresize", "--info", "--force", device)
    with mounted_ntfs(dirty, *GEN1_OS) as root:
        hive = root / CONFIG / "SYSTEM"
        (bins_size,) = struct.unpack_from("<I", hive.read_bytes(), 40)
        assert bins_size == 12_591_104  # as the last log entry has it; 12,398,592 before
        exported = run("hivexregedit", "--export", hive, r"\ControlSet001\Control\CrashControl")
        assert '"CrashDumpEnabled"=dword:00000001' in exported
        run("reglookup", "-p", "/Select", hive)
    output_of("undo", dirty)
    assert fingerprint(dirty) == before


def test_a_hive_whose_logs_windows_refuses_is_reported_and_not_edited(gen1_broken: Path) -> None:
    with mounted_ntfs(gen1_broken, *GEN1_OS, writable=True) as root:
        (root / CONFIG / "SAM").write_bytes(corpus("hives/BadLogHive1/BadLogHive"))
        (root / CONFIG / "SAM.LOG1").write_bytes(corpus("hives/BadLogHive1/BadLogHive.LOG1"))
    before = fingerprint(gen1_broken)
    text = output_of("diagnose", gen1_broken, "--only", "hive-log", status=1)
    assert "no transaction log applies to the dirty hive" in text
    assert "repair: none that vmrescue can make" in text
    asked = vmrescue("reg", gen1_broken, "query", r"HKLM\SAM")
    assert asked.returncode == 0
    assert r"note: the hive \Windows\System32\config\SAM on partition 2" in asked.stderr
    refused = vmrescue("reg", gen1_broken, "add", r"HKLM\SAM\New", "/f")
    assert refused.returncode == 4
    assert r"config\SAM" in refused.stderr
    assert "log 1" in refused.stderr
    assert fingerprint(gen1_broken) == before
