"""The sample images as VHDX: every command that edits one, judged by QEMU, and by the same repair of another image."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

import vmrescue
from support.command import output_of
from support.command import vmrescue as command
from support.findings import told
from support.images import fingerprint, sample
from support.machine import run
from support.vhdx import make_vhdx
from vmrescue.disk import EditSession, open_disk

if TYPE_CHECKING:
    from datetime import tzinfo
    from pathlib import Path
    from typing import Self

MIB = 1 << 20


@pytest.fixture
def os_vhdx(quick_folder: Path) -> Path:
    return as_vhdx(sample("gen2-broken", quick_folder), quick_folder / "os.vhdx", "block_size=1M")


def as_vhdx(vhd: Path, target: Path, *options: str) -> Path:
    settings = [word for option in options for word in ("-o", option)]
    run("qemu-img", "convert", "-f", "vpc", "-O", "vhdx", *settings, vhd, target)
    return target


class AlwaysNoon(datetime):
    """A clock that stands still, so that two repairs write the same times."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls(2026, 1, 1, 12, tzinfo=tz)


def test_a_vhdx_is_diagnosed_repaired_and_given_back_as_a_vhd_is(
    os_vhdx: Path, quick_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vhd, old = quick_folder / "gen2-broken.vhd", fingerprint(os_vhdx)
    assert told(vmrescue.diagnose(os_vhdx)) == told(vmrescue.diagnose(vhd))
    assert vmrescue.rehearse(os_vhdx).stop == vmrescue.rehearse(vhd).stop
    assert vmrescue.repair(os_vhdx, dry_run=True).bytes_written > 2000
    assert fingerprint(os_vhdx) == old
    for module in ("vmrescue.registry.filetime", "vmrescue.fat.volume"):
        monkeypatch.setattr(f"{module}.datetime", AlwaysNoon)
    monkeypatch.setattr("time.time_ns", lambda: 1_767_268_800_000_000_000)

    vmrescue.repair(os_vhdx)
    vmrescue.repair(vhd)

    run("qemu-img", "check", "-f", "vhdx", os_vhdx)
    run("qemu-img", "compare", "-f", "vhdx", "-F", "vpc", os_vhdx, vhd)
    vmrescue.undo(os_vhdx)
    assert fingerprint(os_vhdx) == old


def test_a_rescue_and_growth_are_sound_and_given_back(os_vhdx: Path) -> None:
    old = fingerprint(os_vhdx)
    output_of("rescue", os_vhdx, "--yes", status=1)
    output_of("expand", os_vhdx, "--size", "2G", "--yes")
    run("qemu-img", "check", "-f", "vhdx", os_vhdx)
    assert json.loads(run("qemu-img", "info", "--output", "json", os_vhdx))["virtual-size"] == 2 << 30
    assert vmrescue.diagnose(os_vhdx, only=["free-space", "bad-memory"]).healthy
    output_of("undo", "--all", os_vhdx)
    assert fingerprint(os_vhdx) == old


def test_a_child_of_a_vhdx_takes_the_repair_and_its_name_must_fit(os_vhdx: Path, quick_folder: Path) -> None:
    old = fingerprint(os_vhdx)
    refused = command("repair", os_vhdx, "--into", quick_folder / "child.vhd", "--yes")
    assert (refused.returncode, "name it .vhdx or .avhdx" in refused.stderr) == (2, True), refused.stderr
    child = quick_folder / "child.avhdx"
    output_of("repair", os_vhdx, "--into", child, "--only", "bad-memory", "--yes")
    assert open_disk(child).format == "differencing VHDX"
    assert vmrescue.diagnose(child, only=["bad-memory"]).healthy
    vmrescue.repair(child, only=["serial-console"])
    assert vmrescue.undo(child) == 2
    assert vmrescue.undo(child) == 1
    assert not vmrescue.diagnose(child, only=["bad-memory"]).healthy
    assert fingerprint(os_vhdx) == old
    expanded = command("expand", child, "--size", "2G", "--yes")
    assert (expanded.returncode, "has its parent's size" in expanded.stderr) == (4, True), expanded.stderr


def test_a_copy_is_made_without_qemu_and_can_be_undone(os_vhdx: Path, quick_folder: Path) -> None:
    out = quick_folder / "copy.vhdx"
    receipt = vmrescue.repair(os_vhdx, only=["bad-memory"], copy_to=out)
    assert receipt.origin is not None
    assert (receipt.origin.form, open_disk(out).format) == ("vhdx", "dynamic VHDX")
    run("qemu-img", "check", "-f", "vhdx", out)
    vmrescue.undo(out)
    run("qemu-img", "compare", "-f", "vhdx", "-F", "vhdx", os_vhdx, out)


def test_a_parent_of_a_run_is_not_repaired_below_its_child(os_vhdx: Path, quick_folder: Path) -> None:
    child = quick_folder / "child.avhdx"
    output_of("repair", os_vhdx, "--into", child, "--only", "crash-dump", "--yes")
    done = command("repair", os_vhdx, child, "--yes", "--only", "bad-memory")
    assert "lies below" in done.stdout + done.stderr
    assert vmrescue.diagnose(child, only=["bad-memory"]).healthy
    assert not vmrescue.diagnose(os_vhdx, only=["bad-memory"]).healthy


def test_a_fixed_vhdx_is_made_longer_with_all_its_blocks(quick_folder: Path) -> None:
    image = as_vhdx(sample("gen2-healthy", quick_folder), quick_folder / "os.vhdx", "subformat=fixed")
    old = fingerprint(image)
    output_of("expand", image, "--size", "1000M", "--yes")
    run("qemu-img", "check", "-f", "vhdx", image)
    assert open_disk(image).size == 1000 * MIB
    assert open_disk(image).format == "fixed VHDX"
    assert image.stat().st_size >= 1000 * MIB
    vmrescue.undo(image)
    assert fingerprint(image) == old


def test_a_disk_is_made_so_long_that_its_table_has_to_move(quick_folder: Path) -> None:
    image = make_vhdx(quick_folder / "disk.vhdx", "100G", "block_size=1M")
    run("qemu-io", "-f", "vhdx", "-c", "write -P 7 99G 1M", image)
    with EditSession(image) as session:
        session.disk.resize(200 << 30)
        session.disk.write_at(150 << 30, b"far")
        session.commit()
    run("qemu-img", "check", "-f", "vhdx", image)
    said = run("qemu-io", "-r", "-f", "vhdx", "-c", "read -v 150G 4", "-c", "read -P 7 99G 1M", image)
    assert "66 61 72 00" in said
