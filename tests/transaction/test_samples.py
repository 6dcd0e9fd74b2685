"""Repairing the samples: independent readers see what was wanted, and undo gives the image back byte for byte."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import vmrescue
from support.images import fingerprint, sha256
from support.machine import run
from support.machine_disk import mounted_ntfs

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20
GEN1_OS = 33 * MIB, 606 * MIB
GEN2_OS = 57 * MIB, 580 * MIB
REMAINING = {"volume-state", "free-space", "memory-limit"}  # what a repair does not mend, or only on request


def raw(image: Path) -> Path:
    """The image converted by qemu-img, so that no line of ours is between the judges and the disk."""
    target = image.with_suffix(".raw")
    run("qemu-img", "convert", "-f", "vpc", "-O", "raw", image, target)
    return target


def hive_value(hive: Path, key: str, name: str) -> str:
    """A value as hivexregedit exports it."""
    text = run("hivexregedit", "--export", "--unsafe-printable-strings", hive, f"\\{key}")
    return next(line for line in text.splitlines() if line.lower().startswith(f'"{name.lower()}"=')).partition("=")[2]


@pytest.mark.parametrize("name", ["gen1_broken", "gen2_broken"])
def test_repair_then_undo_gives_the_same_bytes_twice(name: str, request: pytest.FixtureRequest) -> None:
    image: Path = request.getfixturevalue(name)
    before = fingerprint(image)
    for _ in range(2):
        receipt = vmrescue.repair(image)
        assert receipt.committed
        assert fingerprint(image) != before
        remaining = {finding.check for finding in vmrescue.diagnose(image).findings}
        assert remaining <= REMAINING
        vmrescue.undo(image)
        assert fingerprint(image) == before


def test_hivex_reads_the_wanted_values_in_both_control_sets(gen1_broken: Path) -> None:
    vmrescue.repair(gen1_broken)
    disk = raw(gen1_broken)
    with mounted_ntfs(disk, *GEN1_OS) as root:
        system = root / "Windows/System32/config/SYSTEM"
        for control_set in ("ControlSet001", "ControlSet002"):
            crash = f"{control_set}\\Control\\CrashControl"
            assert hive_value(system, crash, "CrashDumpEnabled") == "dword:00000001"
            assert hive_value(system, crash, "NMICrashDump") == "dword:00000001"
            assert hive_value(system, crash, "DumpFile") == r'str(2):"%SystemRoot%\MEMORY.DMP"'
        memory = r"ControlSet001\Control\Session Manager\Memory Management"
        wanted = ",".join(f"{byte:02x}" for byte in "D:\\pagefile.sys 0 0\0\0".encode("utf-16-le"))
        assert hive_value(system, memory, "PagingFiles") == f"hex(7):{wanted}"
        assert not (root / "pagefile.sys").exists()
        run("reglookup", system)
    with mounted_ntfs(disk, MIB, 32 * MIB) as root:
        store = run("hivexregedit", "--export", root / "Boot/BCD", "\\Objects")
        assert "1700000a" not in store
        assert "260000b0" in store


def test_the_judges_are_content_with_a_repaired_disk(gen2_broken: Path) -> None:
    vmrescue.repair(gen2_broken)
    run("qemu-img", "info", "-f", "vpc", gen2_broken)
    run("vhdiinfo", gen2_broken)
    disk = raw(gen2_broken)
    assert "No problems found" in run("sgdisk", "-v", disk)
    volume, esp = disk.with_name("os"), disk.with_name("esp")
    for part, (start, size) in ((volume, GEN2_OS), (esp, (MIB, 40 * MIB))):
        run("dd", f"if={disk}", f"of={part}", "bs=1M", f"skip={start // MIB}", f"count={size // MIB}", "conv=sparse")
    run("ntfsresize", "--info", "--force", volume)
    run("fsck.vfat", "-n", esp)


def test_a_receipt_says_what_was_written_and_where_the_backup_is(gen2_broken: Path) -> None:
    receipt = vmrescue.repair(gen2_broken)
    assert receipt.folder is not None
    assert receipt.folder.parent == gen2_broken.with_name("gen2-broken.vhd.vmrescue")
    document = json.loads((receipt.folder / "receipt.json").read_text())
    assert document["committed"]
    assert sum(row["length"] for row in document["written"][str(gen2_broken)]) == receipt.bytes_written < 128 << 10
    manifest = json.loads((receipt.folder / "manifest.json").read_text())
    copies = {row["path"]: receipt.folder / row["copy"] for row in manifest["files"]}
    assert set(copies) == {r"EFI\Microsoft\Boot\BCD", r"Windows\System32\config\SYSTEM"}
    assert all(sha256(copies[row["path"]]) == row["sha256"] for row in manifest["files"])
    run("reglookup", copies[r"Windows\System32\config\SYSTEM"])


def test_a_dry_run_writes_nothing_and_names_every_byte_range(gen2_broken: Path) -> None:
    before = fingerprint(gen2_broken)
    planned = vmrescue.repair(gen2_broken, dry_run=True)
    assert not planned.committed
    assert fingerprint(gen2_broken) == before
    assert list(gen2_broken.parent.iterdir()) == [gen2_broken]
    done = vmrescue.repair(gen2_broken)
    assert sum(map(len, planned.written.values())) > 0
    assert done.bytes_written == pytest.approx(planned.bytes_written, abs=64)  # time stamps differ


def test_a_plan_from_json_is_applied_and_refused_when_the_image_has_changed(gen2_broken: Path) -> None:
    text = vmrescue.diagnose(gen2_broken).plan(only=["crash-dump"]).to_json()
    plan = vmrescue.Plan.from_json(text)
    vmrescue.repair(gen2_broken, plan=plan)
    assert "crash-dump" not in {finding.check for finding in vmrescue.diagnose(gen2_broken).findings}
    after = fingerprint(gen2_broken)
    with pytest.raises(vmrescue.VmRescueError, match="the plan found REG_DWORD 7") as refusal:
        vmrescue.repair(gen2_broken, plan=plan)
    assert refusal.value.exit_status == 4
    assert fingerprint(gen2_broken) == after


def test_a_plan_for_another_disk_is_refused(gen1_broken: Path, gen2_broken: Path) -> None:
    plan = vmrescue.diagnose(gen1_broken).plan()
    before = fingerprint(gen2_broken)
    with pytest.raises(vmrescue.VmRescueError, match="the plan is for a disk") as refusal:
        vmrescue.repair(gen2_broken, plan=plan)
    assert refusal.value.exit_status == 4
    assert fingerprint(gen2_broken) == before


def test_undo_refuses_an_image_that_was_changed_since(gen1_broken: Path) -> None:
    receipt = vmrescue.repair(gen1_broken, only=["crash-dump"])
    (row, *_) = receipt.written[str(gen1_broken)]
    with gen1_broken.open("r+b") as stream:
        stream.seek(row.offset)
        byte = stream.read(1)
        stream.seek(row.offset)
        stream.write(bytes([byte[0] ^ 0xFF]))
    changed = fingerprint(gen1_broken)
    with pytest.raises(vmrescue.VmRescueError, match="changed") as refusal:
        vmrescue.undo(gen1_broken)
    assert refusal.value.exit_status == 4
    assert fingerprint(gen1_broken) == changed


def test_undo_without_a_repair_says_so(gen2_healthy: Path) -> None:
    with pytest.raises(vmrescue.VmRescueError, match="no repair to undo"):
        vmrescue.undo(gen2_healthy)


def test_a_healthy_image_is_not_touched_by_a_repair(gen2_healthy: Path) -> None:
    before = fingerprint(gen2_healthy)
    receipt = vmrescue.repair(gen2_healthy)
    assert not receipt.committed
    assert receipt.written == {}
    assert fingerprint(gen2_healthy) == before
    assert list(gen2_healthy.parent.iterdir()) == [gen2_healthy]
