"""What volume-state says of volumes that Windows did not close, and what a repair then refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import vmrescue
from support.images import fingerprint
from support.machine import run
from support.machine_disk import loop_device, mounted_ntfs
from support.real_disk import windows_volume

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20
GEN1_OS = 33 * MIB, 606 * MIB


def states(image: Path) -> dict[str, list[str]]:
    findings = vmrescue.diagnose(image, only=["volume-state"]).findings
    return {finding.evidence["state"]: finding.evidence["reasons"] for finding in findings}


def test_a_marked_volume_is_dirty_and_can_be_repaired_all_the_same(gen1_broken: Path) -> None:
    assert list(states(gen1_broken)) == ["dirty"]
    [finding] = vmrescue.diagnose(gen1_broken, only=["volume-state"]).findings
    assert finding.summary == "partition 2 (C:) is marked as dirty"
    receipt = vmrescue.repair(gen1_broken, only=["crash-dump"])
    assert receipt.committed
    assert list(states(gen1_broken)) == ["dirty"]


@pytest.mark.parametrize("signature", [b"hibr", b"HIBR", b"wake"])
def test_nothing_is_written_to_a_hibernated_volume(gen1_broken: Path, signature: bytes) -> None:
    with loop_device(gen1_broken, *GEN1_OS, writable=True) as device:
        run("ntfsfix", "--clear-dirty", device)
    with mounted_ntfs(gen1_broken, *GEN1_OS, writable=True) as root:
        (root / "hiberfil.sys").write_bytes(signature + bytes(65532))
    assert "hibernated" in states(gen1_broken)
    before = fingerprint(gen1_broken)
    with pytest.raises(vmrescue.VmRescueError, match="hibernated") as refusal:
        vmrescue.repair(gen1_broken, only=["crash-dump"])
    assert refusal.value.exit_status == 4
    assert fingerprint(gen1_broken) == before


def test_a_log_with_work_to_replay_is_reported_and_replayed_on_request(gen2_healthy: Path, tmp_path: Path) -> None:
    volume, disk = tmp_path / "volume", tmp_path / "disk.raw"
    size = windows_volume(volume)
    run("qemu-img", "convert", "-f", "vpc", "-O", "raw", gen2_healthy, disk)
    start = disk.stat().st_size
    run("truncate", "-s", str(start + (size // MIB + 3) * MIB), disk)
    run("sgdisk", "-e", "-n", f"4:{start // 512}:+{size // 512}", "-t", "4:0700", disk)
    run("dd", f"if={volume}", f"of={disk}", "bs=1M", f"seek={start // MIB}", "conv=notrunc,sparse")
    found = states(disk)
    assert list(found) == ["log pending"]
    assert any("2.0" in reason for reason in found["log pending"])
    assert vmrescue.repair(disk).written == {}  # only on request
    before = fingerprint(disk)
    assert vmrescue.repair(disk, only=["volume-state"]).committed
    assert states(disk) == {}
    run("dd", f"if={disk}", f"of={volume}", "bs=1M", f"skip={start // MIB}", f"count={-(-size // MIB)}", "conv=sparse")
    run("truncate", "-s", str(size), volume)
    run("ntfsresize", "--info", "--force", volume)
    with mounted_ntfs(volume, writable=True) as root:  # ntfs-3g refuses a volume whose log is pending
        assert list(root.iterdir())
    vmrescue.undo(disk)
    assert fingerprint(disk) == before
