"""Repairs that leave the original alone: a copy ready for Azure, and a differencing VHD over the original."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest
import pyvhdi

import vmrescue
from support.images import sha256
from support.machine import run
from vmrescue.disk import open_disk

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.disk import VirtualDisk

MIB = 1 << 20
CHECKS = ["bad-memory", "serial-console", "crash-dump"]


def content_hash(disk: VirtualDisk) -> str:
    digest = hashlib.sha256()
    for start in range(0, disk.size, MIB):
        digest.update(disk.read_at(start, min(MIB, disk.size - start)))
    disk.close()
    return digest.hexdigest()


def test_a_copy_is_a_fixed_vhd_of_whole_mib_and_repaired(gen2_broken: Path, tmp_path: Path) -> None:
    before = sha256(gen2_broken)
    out = tmp_path / "out.vhd"
    seen: list[tuple[int, int]] = []
    receipt = vmrescue.repair(gen2_broken, only=CHECKS, copy_to=out, progress=lambda *step: seen.append(step))
    assert sha256(gen2_broken) == before
    assert seen[-1] == (640 * MIB, 640 * MIB)
    assert vmrescue.diagnose(out, only=CHECKS).findings == []
    information = json.loads(run("qemu-img", "info", "-f", "vpc", "--output", "json", out))
    assert information["virtual-size"] == 640 * MIB
    assert out.stat().st_size == 640 * MIB + 512
    assert out.stat().st_blocks * 512 < 64 * MIB  # holes stay holes
    assert receipt.origin is not None
    assert receipt.origin.sha256 == content_hash(open_disk(gen2_broken))
    assert receipt.sha256 == sha256(out)
    vmrescue.undo(out)
    assert content_hash(open_disk(out)) == receipt.origin.sha256


@pytest.mark.parametrize("name", ["gen1_broken", "gen2_broken"])
def test_a_child_holds_the_repair_and_the_parent_stays(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    parent: Path = request.getfixturevalue(name)
    before = sha256(parent)
    child = tmp_path / "child.vhd"
    vmrescue.repair(parent, only=CHECKS, into=child)
    assert sha256(parent) == before
    assert child.stat().st_size < 16 * MIB
    assert vmrescue.diagnose(child, only=CHECKS).findings == []
    assert vmrescue.diagnose(parent, only=CHECKS).findings != []


def test_libvhdi_reads_the_child_over_its_parent_as_we_do(gen1_broken: Path, tmp_path: Path) -> None:
    child_path = tmp_path / "child.vhd"
    receipt = vmrescue.repair(gen1_broken, only=CHECKS, into=child_path)
    assert receipt.committed
    parent, child = pyvhdi.file(), pyvhdi.file()
    parent.open(str(gen1_broken))
    child.open(str(child_path))
    child.set_parent(parent)
    ours = open_disk(child_path)
    try:
        for start in range(0, ours.size, MIB):
            assert child.read_buffer_at_offset(MIB, start) == ours.read_at(start, MIB)
    finally:
        ours.close()
        child.close()
        parent.close()


def test_a_file_that_is_there_is_not_overwritten(gen2_broken: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.vhd"
    out.write_bytes(b"precious")
    for way in ("copy_to", "into"):
        with pytest.raises(vmrescue.VmRescueError, match="exists already") as refusal:
            vmrescue.repair(gen2_broken, only=CHECKS, **{way: out})  # type: ignore[arg-type]
        assert refusal.value.exit_status == 4
    assert out.read_bytes() == b"precious"


def test_what_a_refused_repair_leaves_of_the_new_file_is_deleted(gen2_broken: Path, tmp_path: Path) -> None:
    plan = vmrescue.diagnose(gen2_broken, only=["crash-dump"]).plan()
    vmrescue.repair(gen2_broken, plan=plan)
    child = tmp_path / "child.vhd"
    with pytest.raises(vmrescue.VmRescueError, match="the plan found"):
        vmrescue.repair(gen2_broken, plan=plan, into=child)
    assert not child.exists()
