"""The main job on real parts: a volume that Windows formatted, a real SYSTEM hive, a real boot store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import pyvhdi

import vmrescue
from support.command import DONE, output_of
from support.images import fingerprint
from support.machine import run
from support.machine_disk import mounted_ntfs
from support.real_disk import ESP, MIB, OS_START, PAGE_FRAMES, real_disk
from vmrescue.disk import open_disk

if TYPE_CHECKING:
    from pathlib import Path

# The disk holds no programs, and a store of another machine; and no page-file: nothing here tells of a temporary drive.
CUT_OUT = ["boot-path", "boot-device", "boot-execute", "class-filter", "lost-driver", "missing-part"]
FAULTS = {*CUT_OUT, "bad-memory", "serial-console", "crash-dump"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return real_disk(tmp_path_factory.mktemp("real"))


@pytest.fixture
def image(built: Path, tmp_path: Path) -> Path:
    target = tmp_path / "real.vhd"
    run("cp", "--sparse=always", built, target)
    return target


def test_a_real_disk_is_diagnosed_repaired_judged_and_undone(image: Path, tmp_path: Path) -> None:
    before = fingerprint(image)
    document = json.loads(output_of("diagnose", image, "--format", "json", status=1))
    assert {finding["check"] for finding in document["findings"]} == FAULTS
    (bad_memory,) = (finding for finding in document["findings"] if finding["check"] == "bad-memory")
    assert bad_memory["evidence"]["page_frames"] == list(PAGE_FRAMES)
    assert document["windows"]["control_sets"] == ["ControlSet001"]

    output_of("repair", image, "--yes", "--skip", ",".join(CUT_OUT), status=DONE)
    assert "Nothing is wrong" in output_of("diagnose", image, "--skip", ",".join(CUT_OUT))

    disk = tmp_path / "disk.raw"
    run("qemu-img", "info", "-f", "vpc", image)
    run("vhdiinfo", image)
    run("qemu-img", "convert", "-f", "vpc", "-O", "raw", image, disk)
    assert "No problems found" in run("sgdisk", "-v", disk)
    volume = next(row for row in document["volumes"] if row["file_system"] == "NTFS")
    os, esp = tmp_path / "os", tmp_path / "esp"
    for part, start, size in ((esp, *ESP), (os, OS_START, volume["size"])):
        run(
            "dd", f"if={disk}", f"of={part}", "bs=1M", f"skip={start // MIB}", f"count={-(-size // MIB)}", "conv=sparse"
        )
    run("truncate", "-s", str(volume["size"]), os)
    run("ntfsresize", "--info", "--force", os)
    run("fsck.vfat", "-n", esp)
    with mounted_ntfs(os) as root:
        system = root / "Windows/System32/config/SYSTEM"
        text = run(
            "hivexregedit", "--export", "--unsafe-printable-strings", system, r"\ControlSet001\Control\CrashControl"
        )
        assert '"CrashDumpEnabled"=dword:00000001' in text
        assert '"NMICrashDump"=dword:00000001' in text
        run("reglookup", system)
    run("mcopy", "-i", esp, "::/EFI/Microsoft/Boot/BCD", tmp_path / "BCD")
    assert "1700000a" not in run("hivexregedit", "--export", tmp_path / "BCD", r"\Objects")

    output_of("undo", image)
    assert fingerprint(image) == before


def test_the_same_from_python(image: Path) -> None:
    before = fingerprint(image)
    diagnosis = vmrescue.diagnose(image)
    assert {finding.check for finding in diagnosis.findings} == FAULTS
    receipt = vmrescue.repair(image, plan=diagnosis.plan())
    assert receipt.bytes_written < 128 << 10
    assert vmrescue.diagnose(image, skip=CUT_OUT).healthy
    vmrescue.undo(image)
    assert fingerprint(image) == before


def test_libvhdi_sees_the_same_disk_as_we_do(image: Path) -> None:
    vmrescue.repair(image)
    theirs = pyvhdi.file()
    theirs.open(str(image))
    ours = open_disk(image)
    try:
        assert theirs.get_media_size() == ours.size
        for start in (0, ESP[0], OS_START, ours.size - MIB):
            assert theirs.read_buffer_at_offset(MIB, start) == ours.read_at(start, MIB)
    finally:
        ours.close()
        theirs.close()


def test_a_log_with_work_to_replay_is_reported(tmp_path: Path) -> None:
    image = real_disk(tmp_path, recovered=False)
    found = {each.check: each.summary for each in vmrescue.diagnose(image).findings}
    assert "no Windows" in found["missing-part"]
