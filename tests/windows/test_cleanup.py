"""A cleanup removes exactly the declared files, and nothing behind a junction."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

import vmrescue
from support.command import DONE, output_of
from support.fault import load
from support.fault_play import make
from support.images import fingerprint
from support.machine import run
from support.machine_disk import loop_device, mounted_ntfs, unmount

if TYPE_CHECKING:
    from collections.abc import Iterator

GEN1_OS = 33 << 20, 606 << 20
MOUNT_POINT = 0xA0000003  # IO_REPARSE_TAG_MOUNT_POINT: a junction

GOES = {
    "windows-temp": ["Windows/Temp/a.tmp", "Windows/Temp/deep/er/b.tmp", "Windows/Temp/\u00fcber \u4e2d\u6587.log"],
    "user-temp": ["Users/anna/AppData/Local/Temp/x", "Users/Bob B/AppData/Local/Temp/" + "long" * 50 + ".tmp"],
    "update-downloads": ["Windows/SoftwareDistribution/Download/1a2b/update.cab"],
    "delivery-optimization": ["Windows/SoftwareDistribution/DeliveryOptimization/c/1"],
    "error-reports": ["ProgramData/Microsoft/Windows/WER/ReportQueue/r1/Report.wer"],
    "memory-dumps": [
        "Windows/MEMORY.DMP",
        "Windows/Minidump/112226-1.dmp",
        "Users/anna/AppData/Local/CrashDumps/e.dmp",
    ],
    "setup-logs": ["Windows/Panther/setupact.log", "Windows/Logs/CBS/CbsPersist_20261101.cab"],
    "thumbnails": ["Users/anna/AppData/Local/Microsoft/Windows/Explorer/thumbcache_256.db"],
    "recycle-bin": ["$Recycle.Bin/S-1-5-21-1/$R1.txt", "$Recycle.Bin/S-1-5-21-1/$RDIR/file"],
}
ON_REQUEST = {
    "previous-windows": ["Windows.old/Windows/explorer.exe"],
    "component-store": ["Windows/WinSxS/Temp/PendingDeletes/x.dll"],
}
GOING = [path for paths in GOES.values() for path in paths]
ASKED_FOR = [path for paths in ON_REQUEST.values() for path in paths]
STAYS = [
    "Windows/System32/keep.dll",
    "Windows/Minidump/readme.txt",
    "Windows/Logs/CBS/CBS.log",
    "Users/anna/Documents/thesis.docx",
    "Users/anna/AppData/Local/Microsoft/Windows/Explorer/other.db",
    "$Recycle.Bin/S-1-5-21-1/desktop.ini",
    "precious/photo.jpg",
    "hiberfil.sys.txt",
]


def junction(folder: Path, target: str) -> None:
    """Makes an empty folder a junction to `target`, as `mklink /j` does."""
    folder.mkdir()
    substitute, shown = f"\\??\\{target}".encode("utf-16-le"), target.encode("utf-16-le")
    names = (
        struct.pack("<4H", 0, len(substitute), len(substitute) + 2, len(shown)) + substitute + b"\0\0" + shown + b"\0\0"
    )
    os.setxattr(folder, "system.ntfs_reparse_data", struct.pack("<IHH", MOUNT_POINT, len(names), 0) + names)


@pytest.fixture
def littered(gen1_broken: Path) -> Path:
    """The sample with every category's files, others beside them, and junctions into places that must stay."""
    with mounted_ntfs(gen1_broken, *GEN1_OS, writable=True) as root:
        (root / "Windows/Temp/fill.bin").unlink()
        for path in [*GOING, *ASKED_FOR, *STAYS]:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(path.encode() * 100)
        junction(root / "Windows/Temp/link", "C:\\precious")
        junction(root / "Users/anna/AppData/Local/Temp/link", "C:\\Users\\anna\\Documents")
    return gen1_broken


def files(image: Path) -> set[str]:
    """Every file on the OS volume, as ntfs-3g shows it."""
    with mounted_ntfs(image, *GEN1_OS) as root:
        return set(_walk(root))


def _walk(root: Path) -> Iterator[str]:
    for folder, _, names in os.walk(root):
        yield from (str((Path(folder) / name).relative_to(root)) for name in names)


def judge(image: Path) -> None:
    with loop_device(image, *GEN1_OS) as device:
        run("ntfsresize", "--info", "--force", device)


def test_exactly_the_declared_files_go_and_come_back(littered: Path) -> None:
    before, digest = files(littered), fingerprint(littered)
    text = output_of("cleanup", littered, "--yes", status=DONE)
    assert "Changed" in text
    judge(littered)
    gone = before - files(littered)
    assert gone == set(GOING)
    vmrescue.undo(littered)
    assert fingerprint(littered) == digest


def test_what_must_be_asked_for_goes_only_when_named(littered: Path) -> None:
    before = files(littered)
    output_of("cleanup", littered, "--yes", "--category", "previous-windows", status=DONE)
    judge(littered)
    assert before - files(littered) == set(ON_REQUEST["previous-windows"])


def test_the_hibernation_file_goes_only_where_hibernation_is_off(gen1_broken: Path) -> None:
    with mounted_ntfs(gen1_broken, *GEN1_OS, writable=True) as root:
        (root / "hiberfil.sys").write_bytes(bytes(1 << 20))
    listed = json.loads(output_of("cleanup", gen1_broken, "--list", "--format", "json"))
    assert next(row for row in listed if row["category"] == "hibernation")["files"] == 0
    with mounted_ntfs(gen1_broken, *GEN1_OS, writable=True) as root:
        edits = root / "edits.reg"
        key = r"\ControlSet001\Control\Power"
        edits.write_text(f'Windows Registry Editor Version 5.00\n\n[{key}]\n"HibernateEnabled"=dword:00000000\n')
        run("hivexregedit", "--merge", root / "Windows/System32/config/SYSTEM", edits)
        edits.unlink()
    output_of("cleanup", gen1_broken, "--yes", "--category", "hibernation", status=DONE)
    assert "hiberfil.sys" not in files(gen1_broken)


def test_what_a_cleanup_says_that_it_wins_it_wins(gen1_broken: Path) -> None:
    """Compressed and sparse files take less than their size, small ones, in their records, no cluster.

    A file that keeps another name frees nothing; one whose names are all removed frees its clusters once.
    """
    with loop_device(gen1_broken, *GEN1_OS, writable=True) as device, TemporaryDirectory() as folder:
        run("ntfs-3g", "-o", "rw,compression", device, folder)
        try:
            temp = Path(folder) / "Windows/Temp"
            (temp / "fill.bin").unlink()
            (temp / "packed").mkdir()
            os.setxattr(temp / "packed", "system.ntfs_attrib_be", (0x810).to_bytes(4, "big"))  # a folder, compressed
            (temp / "packed" / "zeros.log").write_bytes(b"the same line\n" * 1_000_000)
            with (temp / "holes.bin").open("wb") as stream:
                stream.truncate(50 << 20)
                stream.write(b"x" * 5000)
            for number in range(20):
                (temp / f"{number}.txt").write_bytes(b"small")
            (temp / "also elsewhere").write_bytes(bytes(50 << 20))
            os.link(temp / "also elsewhere", Path(folder) / "kept.bin")
            (temp / "twice").write_bytes(bytes(1 << 20))
            os.link(temp / "twice", temp / "packed" / "again")
        finally:
            unmount(folder)

    def free() -> int:
        with mounted_ntfs(gen1_broken, *GEN1_OS) as root:
            found = os.statvfs(root)
            return found.f_bfree * found.f_frsize

    before = free()
    rows = json.loads(output_of("cleanup", gen1_broken, "--list", "--format", "json"))
    said = {row["category"]: row["bytes"] for row in rows}["windows-temp"]
    output_of("cleanup", gen1_broken, "--yes", status=DONE)
    won = free() - before
    assert 0 <= won - said <= 64 << 10  # what the folder's own index gives back is not counted
    assert said < 4 << 20


def test_the_files_of_an_upgrade_that_is_to_go_on_stay(tmp_path: Path) -> None:
    disk = make(load("upgrade-is-rolled-back"), tmp_path)
    digest = fingerprint(disk)
    output_of("cleanup", disk, "--yes", "--category", "previous-windows", status=DONE)
    assert fingerprint(disk) == digest

    output_of("bcdedit", disk, "/default", "{0f6f5a2e-3c1d-11ef-9a77-00155d3a2b01}")
    for element in ("device", "osdevice"):
        output_of("bcdedit", disk, "/deletevalue", "{0f6f5a2f-3c1d-11ef-9a77-00155d3a2b01}", element)
    assert "delete" in output_of("cleanup", disk, "--dry-run", "--category", "previous-windows")
