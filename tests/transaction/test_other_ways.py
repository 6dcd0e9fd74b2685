"""Repairs that leave the original alone: a copy ready for Azure, and a differencing VHD over the original."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
import pyvhdi

import vmrescue
from support.command import INTERRUPTIBLE
from support.command import vmrescue as command
from support.images import fingerprint, sha256
from support.machine import run
from vmrescue.disk import create_differencing, create_fixed, open_disk
from vmrescue.samples import unpack
from vmrescue.transaction import history

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
    before = fingerprint(gen2_broken)
    out = tmp_path / "out.vhd"
    seen: list[tuple[int, int]] = []
    receipt = vmrescue.repair(
        gen2_broken, only=CHECKS, copy_to=out, sha256=True, progress=lambda *step: seen.append(step)
    )
    assert fingerprint(gen2_broken) == before
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
    before = fingerprint(parent)
    child = tmp_path / "child.vhd"
    vmrescue.repair(parent, only=CHECKS, into=child)
    assert fingerprint(parent) == before
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


def make(way: str, image: Path, out: Path) -> None:
    """A new image called `out`, made by each command and function that makes one."""
    if way in ("copy_to", "into"):
        vmrescue.repair(image, only=CHECKS, **{way: out})  # type: ignore[arg-type]
    elif way.startswith("defrag"):
        done = command("defrag", image, way.removeprefix("defrag "), out, "--yes", "--quiet")
        if done.returncode:
            raise vmrescue.VmRescueError(done.stderr)
    elif way == "fixed":
        create_fixed(out, 64 * MIB)
    elif way == "differencing":
        create_differencing(image, out)
    else:
        unpack("gen2-healthy", out)


WAYS = ["copy_to", "into", "defrag --copy-to", "defrag --into", "fixed", "differencing", "sample"]


@pytest.mark.parametrize("way", WAYS)
def test_a_new_image_is_made_where_nothing_is_not_even_a_link_that_leads_nowhere(
    way: str, gen2_broken: Path, tmp_path: Path
) -> None:
    elsewhere, place = tmp_path / "elsewhere", tmp_path / "place"
    elsewhere.mkdir()
    place.mkdir()
    out = place / "out.vhd"
    unfinished = place / "out.vhd.unfinished"
    for planted in (out, unfinished):
        planted.symlink_to(elsewhere / "target")
        with pytest.raises(vmrescue.VmRescueError, match=f"{planted}.* (exists already|is there)"):
            make(way, gen2_broken, out)
        assert planted.is_symlink()
        assert list(elsewhere.iterdir()) == []
        planted.unlink()
    assert list(place.iterdir()) == []
    left = place / "out.vhd.vmrescue"
    left.mkdir()  # of an earlier image of that name
    with pytest.raises(vmrescue.VmRescueError, match="move or delete it first"):
        make(way, gen2_broken, out)
    assert list(place.iterdir()) == [left]


@pytest.mark.parametrize("option", ["--copy-to", "--into"])
def test_where_no_file_can_be_made_nothing_is_done(option: str, gen2_broken: Path, tmp_path: Path) -> None:
    before = fingerprint(gen2_broken)
    for out, words in [(tmp_path / "no folder" / "new.vhd", "is no folder"), (tmp_path / ("x" * 250), "cannot create")]:
        done = command("repair", gen2_broken, option, out, "--yes")
        assert (done.returncode, words in done.stderr) == (4, True), done.stderr
    assert fingerprint(gen2_broken) == before
    assert list(tmp_path.iterdir()) == [gen2_broken]


@pytest.mark.parametrize("way", ["copy_to", "into"])
def test_a_finished_image_has_its_journal_and_its_receipt_says_its_name(
    way: str, gen2_broken: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.vhd"
    receipt = vmrescue.repair(gen2_broken, only=CHECKS, **{way: out})  # type: ignore[arg-type]
    assert {path.name for path in tmp_path.iterdir()} == {gen2_broken.name, "out.vhd", "out.vhd.vmrescue"}
    [past] = history(out)
    assert receipt.folder is not None
    assert past.receipt == receipt.folder / "receipt.json"
    said = [past.receipt.read_text(), (receipt.folder / "manifest.json").read_text()]
    assert "unfinished" not in "".join(said)
    document = json.loads(said[0])
    assert document["image"] == str(out)
    assert list(document["journals"]) == list(document["written"]) == [str(out)]
    if way == "into":
        shown = run("vhdiinfo", out)
        assert "gen2-broken.vhd" in shown
        assert "unfinished" not in shown
    assert vmrescue.undo(out) == 1
    assert {each.check for each in vmrescue.diagnose(out, only=CHECKS).findings} == set(CHECKS)


def test_a_name_that_somebody_else_took_meanwhile_is_left_to_them(gen2_broken: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.vhd"

    def take(done: int, total: int) -> None:
        out.write_bytes(b"precious")

    with pytest.raises(vmrescue.VmRescueError, match="exists already") as failure:
        vmrescue.repair(gen2_broken, only=CHECKS, copy_to=out, progress=take)
    assert failure.value.exit_status == 5
    assert out.read_bytes() == b"precious"
    assert {path.name for path in tmp_path.iterdir()} == {gen2_broken.name, "out.vhd"}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_copy_that_is_killed_has_a_name_that_says_so_and_the_next_run_says_what_to_do(
    number: signal.Signals, gen2_broken: Path, tmp_path: Path
) -> None:
    out, unfinished = tmp_path / "out.vhd", tmp_path / "out.vhd.unfinished"
    words = ("repair", gen2_broken, "--copy-to", out, "--yes", "--quiet")
    with subprocess.Popen([*INTERRUPTIBLE, sys.executable, "-m", "vmrescue", *map(str, words)]) as process:
        while not unfinished.exists():
            assert process.poll() is None, "it ended, and there was never an unfinished file"
            time.sleep(0.001)
        process.send_signal(number)
    if number != signal.SIGKILL:
        assert process.returncode == 128 + number
        assert {path.name for path in tmp_path.iterdir()} == {gen2_broken.name}
        return
    assert process.returncode == -number
    assert {path.name for path in tmp_path.iterdir()} == {gen2_broken.name, unfinished.name}
    again = command(*words)
    assert again.returncode == 4
    assert f"{unfinished} is there" in again.stderr
    assert "delete what it left" in again.stderr
    unfinished.unlink()
    assert command(*words).returncode in (0, 1)
    assert out.exists()
