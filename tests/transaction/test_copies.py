"""Copies from every container that is read, to every form that a copy can have; judged by qemu-img and libvhdi."""

from __future__ import annotations

import json
import os
import shutil
import time
from typing import TYPE_CHECKING

import click
import pytest

import vmrescue
from support.command import output_of
from support.command import vmrescue as command
from support.images import fingerprint
from support.machine import need_root, need_tool, run
from vmrescue.cli.repair import command as repair_command
from vmrescue.disk import create_dynamic, open_disk
from vmrescue.image.copy_format import FORMATS
from vmrescue.transaction.target import copy_of

if TYPE_CHECKING:
    from pathlib import Path

CHECKS = ["bad-memory"]
MIB = 1 << 20
# The container of the original, the form of the copy: each of either once.
WAYS = [("vhdx", "vhd"), ("qcow2", "vhd-dynamic"), ("vmdk", "raw"), ("vdi", "vhdx"), ("vpc", "qcow2")]
# A record with one partition, and a word far behind it.
PARTITION = bytes([0, 0, 2, 0, 7, 0, 0, 0]) + (2048).to_bytes(4, "little") + (1 << 20).to_bytes(4, "little")
CONTENT = {446: PARTITION, 510: b"\x55\xaa", (100 << 30) + 5: b"data"}
QEMU = {"vhd": "vpc", "vhd-dynamic": "vpc", "raw": "raw", "vhdx": "vhdx", "qcow2": "qcow2"}


@pytest.mark.parametrize(("container", "form"), WAYS)
def test_a_copy_of_any_container_is_repaired_in_any_form(
    container: str, form: str, gen2_broken: Path, quick_folder: Path
) -> None:
    need_tool("qemu-img")  # which the command starts too, for some forms
    original, out = quick_folder / f"disk.{container}", quick_folder / "out" / "copy"
    out.parent.mkdir()
    if container != "vpc":
        run("qemu-img", "convert", "-O", container, gen2_broken, original)
    else:
        shutil.move(gen2_broken, original)
    before = fingerprint(original)

    receipt = vmrescue.repair(original, only=CHECKS, copy_to=out, to_format=form)

    assert fingerprint(original) == before
    assert vmrescue.diagnose(out, only=CHECKS).findings == []
    said = json.loads(run("qemu-img", "info", "-f", QEMU[form], "--output", "json", out))
    assert said["virtual-size"] == 640 * MIB
    assert out.stat().st_blocks * 512 < 64 * MIB
    assert receipt.origin is not None
    assert (receipt.origin.form, receipt.origin.sha256, receipt.sha256) == (form, None, None)
    assert receipt.folder is not None
    assert (receipt.folder / "receipt.json").is_file()
    if form == "qcow2":
        run("qemu-img", "check", "-f", QEMU[form], out)
        assert receipt.journals == {}
        assert {each.name for each in out.parent.iterdir()} == {"copy", "copy.vmrescue"}
        assert all(each.is_dir() for each in (out.parent / "copy.vmrescue").iterdir())  # no journal
        return
    vmrescue.undo(out)
    run("qemu-img", "compare", "-f", container, "-F", QEMU[form], original, out)


def test_a_copy_in_which_nothing_is_changed_is_the_disk(gen2_healthy: Path, quick_folder: Path) -> None:
    need_tool("qemu-img")
    for name, form in (("copy.qcow2", "qcow2"), ("copy.vhdx", "vhdx"), ("copy.img", "raw")):
        said = output_of("repair", gen2_healthy, "--copy-to", quick_folder / name, "--yes")
        assert "nothing in it was changed" in said
        run("qemu-img", "compare", "-f", "vpc", "-F", form, gen2_healthy, quick_folder / name)
    (quick_folder / "next.qcow2.unfinished.qcow2").touch()  # of one that was killed while qemu-img made it
    refused = command("repair", gen2_healthy, "--copy-to", quick_folder / "next.qcow2", "--yes")
    assert (refused.returncode, "unfinished.qcow2 is there" in refused.stderr) == (4, True), refused.stderr
    raw = quick_folder / "copy.img"
    receipt = vmrescue.repair(raw, copy_to=quick_folder / "hashed.raw", sha256=True, only=["serial-console"])
    assert receipt.origin is not None
    assert receipt.origin.sha256 == run("sha256sum", raw).split()[0]


def test_every_command_that_edits_edits_a_copy_too(gen2_broken: Path, quick_folder: Path) -> None:
    source = quick_folder / "disk.vmdk"
    run("qemu-img", "convert", "-O", "vmdk", gen2_broken, source)
    before = fingerprint(source)
    plan = quick_folder / "plan.json"
    (quick_folder / "text").write_text("hello\n")
    plan.write_text(vmrescue.diagnose(gen2_broken, only=CHECKS).plan().to_json())
    ways: list[list[object]] = [
        ["apply", plan, source],
        ["cleanup", source],
        ["expand", source, "--size", "700M"],
        ["put", source, quick_folder / "text", "C:\\text"],
        ["rescue", source, "--only", "memory"],
        ["bcdedit", source, "/set", "{default}", "bootlog", "yes"],
    ]
    for number, words in enumerate(ways):
        out = quick_folder / f"copy{number}.vhd"
        done = command(words[0], *words[1:], "--copy-to", out, "--yes")
        assert done.returncode in (0, 1), (words, done.stderr)
        assert open_disk(out).format == "fixed VHD", words
        assert vmrescue.undo(out) == 1, words
    assert fingerprint(source) == before
    refused = command("repair", source, "--into", quick_folder / "child.vhd", "--yes")
    assert (refused.returncode, "can have a child" in refused.stderr) == (3, True), refused.stderr


def test_a_child_in_another_folder_finds_its_parent_by_what_it_says_and_by_the_folder_that_is_named(
    gen2_broken: Path, tmp_path: Path
) -> None:
    images, children, away = tmp_path / "images", tmp_path / "children", tmp_path / "away"
    for folder in (images, children):
        folder.mkdir()
    parent = gen2_broken.rename(images / "os.vhd")
    child = children / "child.vhd"

    output_of("repair", parent, "--only", "bad-memory", "--into", child, "--yes")

    assert vmrescue.diagnose(child, only=CHECKS).healthy
    images.rename(away)
    with pytest.raises(vmrescue.VmRescueError, match="--parent-dir"):
        vmrescue.diagnose(child)
    assert vmrescue.diagnose(child, only=CHECKS, parent_dir=away).healthy
    output_of("diagnose", child, "--only", "bad-memory", "--parent-dir", away)
    vmrescue.repair(child, only=["serial-console"], parent_dir=away)
    assert vmrescue.undo(child) == 2


def test_holes_of_127_gib_are_neither_read_nor_written(quick_folder: Path) -> None:
    dynamic, raw, out = quick_folder / "big.vhd", quick_folder / "big.raw", quick_folder / "out"
    create_dynamic(dynamic, 127 << 30)
    disk = open_disk(dynamic, writable=True)
    for offset, data in CONTENT.items():
        disk.write_at(offset, data)
    disk.close()
    raw.touch()
    os.truncate(raw, 127 << 30)
    with raw.open("r+b") as stream:
        for offset, data in CONTENT.items():
            stream.seek(offset)
            stream.write(data)
    for image in (dynamic, raw):
        begun = time.process_time()
        with copy_of(image, out, FORMATS["raw"]) as made:
            assert made.origin.data == 2 << 16
        assert time.process_time() - begun < 2  # its zeros alone take a minute to hash
        assert out.stat().st_blocks * 512 < MIB
        run("qemu-img", "compare", "-f", "raw", "-F", "raw", raw, out)
        out.unlink()


@pytest.mark.parametrize("form", ["vhd", "raw"])
def test_a_copy_that_is_not_what_was_read_is_noticed_and_gone(form: str, gen2_broken: Path, tmp_path: Path) -> None:
    out = tmp_path / "copy"

    def spoil(done: int, total: int) -> None:
        if done == total:  # a disk that loses what it was given
            with (tmp_path / "copy.unfinished").open("r+b") as stream:
                stream.seek(3 * MIB + 1234)
                stream.write(b"lost")

    with pytest.raises(vmrescue.VmRescueError, match="does not hold what was read") as failure:
        vmrescue.repair(gen2_broken, only=CHECKS, copy_to=out, to_format=form, progress=spoil)
    assert failure.value.exit_status == 5
    assert list(tmp_path.iterdir()) == [gen2_broken]


def test_a_copy_is_not_given_the_name_of_a_container_that_it_is_not(gen2_broken: Path, tmp_path: Path) -> None:
    out = tmp_path / "copy.vmdk"
    with pytest.raises(vmrescue.VmRescueError, match=r"no copy is made as \.vmdk: give it another name"):
        vmrescue.repair(gen2_broken, copy_to=out)
    assert not out.exists()
    assert vmrescue.repair(gen2_broken, only=CHECKS, copy_to=out, to_format="raw").committed  # it was said


def test_the_forms_of_the_command_line_are_those_of_the_table() -> None:
    [option] = [each for each in repair_command.params if each.name == "to_format"]
    assert isinstance(option.type, click.Choice)
    assert list(option.type.choices) == list(FORMATS)


@pytest.mark.parametrize("form", ["vhd", "qcow2"])
def test_a_full_disk_leaves_nothing_of_a_copy(form: str, gen2_broken: Path, tmp_path: Path) -> None:
    need_root()
    mount = tmp_path / "mnt"
    mount.mkdir()
    room = 3 if form == "vhd" else 9  # MiB: less than the copy, or than the copy and what is made of it
    run("mount", "-t", "tmpfs", "-o", f"size={room}m", "none", mount)
    try:
        done = command("repair", gen2_broken, "--copy-to", mount / "copy", "--to-format", form, "--yes", "--quiet")
        assert done.returncode == 5, done.stderr
        assert "No space left" in done.stderr
        assert list(mount.iterdir()) == []
    finally:
        run("umount", mount)


def test_without_qemu_img_the_package_is_named_before_anything_is_done(
    gen2_broken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("qemu-img") is None
    with pytest.raises(vmrescue.VmRescueError, match="qemu-utils") as refused:
        vmrescue.repair(gen2_broken, copy_to=tmp_path / "copy.qcow2")
    assert refused.value.exit_status == 3
    assert list(tmp_path.iterdir()) == [gen2_broken]
