"""Evidence: what somebody has protected is not written, even by root; reading leaves no trace on the file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

import vmrescue
from commands.hives import system_hive, written
from support.command import output_of
from support.command import vmrescue as command
from support.images import fingerprint
from support.machine import run
from support.machine_disk import loop_device
from vmrescue.image.file_hash import sha256_of_file

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.progress import Progress

EDITS = [
    ["repair", "{}", "--yes"],
    ["rescue", "{}", "--yes"],
    ["rm", "{}", r"\pagefile.sys", "--yes"],
    ["expand", "{}", "--size", "1G", "--yes"],
    ["defrag", "{}", "--yes"],
    ["undo", "{}"],
]

READING = [
    ["diagnose", "{}"],
    ["rehearse", "{}"],
    ["scan", "{}", "--sha256"],
    ["scan", "{folder}"],
    ["info", "{}"],
    ["get", "{}", r"\Windows\System32\config\SYSTEM", "{folder}"],
    ["reg", "{}", "query", r"HKLM\SYSTEM\Select"],
    ["backup", "{}", "{folder}/saved"],
    ["repair", "{}", "--yes", "--copy-to", "{folder}/copy.vhd"],
]


@pytest.mark.parametrize("words", EDITS, ids=lambda words: words[0])
def test_a_file_that_its_mode_protects_is_written_by_nobody(gen2_broken: Path, words: list[str]) -> None:
    vmrescue.repair(gen2_broken, only=["bad-memory"])  # for `undo` to have something
    gen2_broken.chmod(0o444)
    before = fingerprint(gen2_broken)
    done = command(*(word.format(gen2_broken) for word in words))
    assert done.returncode == 4
    assert f"{gen2_broken} is not written to: its mode, 0444, lets nobody write (chmod u+w)" in done.stderr
    assert fingerprint(gen2_broken) == before


@pytest.mark.parametrize("words", EDITS, ids=lambda words: words[0])
def test_nobody_is_asked_about_a_file_that_is_not_written(gen2_broken: Path, words: list[str]) -> None:
    gen2_broken.chmod(0o444)
    done = command(*(word.format(gen2_broken) for word in words if word != "--yes"), stdin="y\n")
    assert (done.returncode, done.stdout) == (4, "")
    assert "[y/N]" not in done.stderr


def test_it_is_diagnosed_and_repaired_in_a_copy(gen2_broken: Path, tmp_path: Path) -> None:
    gen2_broken.chmod(0o444)
    before = fingerprint(gen2_broken)
    assert vmrescue.repair(gen2_broken, copy_to=tmp_path / "copy.vhd").committed
    assert fingerprint(gen2_broken) == before


def test_a_read_only_device_is_refused_by_every_edit_before_a_disk_is_read(gen1_broken: Path) -> None:
    raw = gen1_broken.with_suffix(".raw")
    run("qemu-img", "convert", "-O", "raw", gen1_broken, raw)
    with loop_device(raw) as device:
        for words in EDITS:
            done = command(*(word.format(device) for word in words))
            said = f"vmrescue: {device} is not written to: the device is read-only (blockdev --setrw)\n"
            assert (done.returncode, done.stdout, done.stderr) == (4, "", said)
        told: list[Progress | None] = []
        with vmrescue.on_progress(told.append), pytest.raises(vmrescue.RefusedError, match="read-only"):
            vmrescue.repair(device)
    assert {each.deed.partition(" ")[0] for each in told if each} <= {"opening"}


@pytest.mark.parametrize("words", READING, ids=lambda words: words[0])
def test_reading_leaves_the_time_of_access(gen2_broken: Path, tmp_path: Path, words: list[str]) -> None:
    long_ago = 1_000_000_000
    os.utime(gen2_broken, (long_ago, long_ago))
    output_of(*(word.format(gen2_broken, folder=tmp_path) for word in words), status=(0, 1))
    assert gen2_broken.stat().st_atime == long_ago


def test_reading_a_hives_file_leaves_its_time_of_access_and_that_of_its_log(tmp_path: Path) -> None:
    hive = written(system_hive(), tmp_path / "SYSTEM")
    log = tmp_path / "SYSTEM.LOG1"
    log.write_bytes(bytes(512))
    long_ago = 1_000_000_000
    for file in (hive, log):
        os.utime(file, (long_ago, long_ago))
    output_of("reg", hive, "query", r"HKLM\SYSTEM\Select")
    assert [file.stat().st_atime for file in (hive, log)] == [long_ago, long_ago]


def test_a_scan_tells_the_hash_of_each_file_that_another_program_tells(gen2_broken: Path, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.vhd"
    nothing.write_bytes(b"no disk" + bytes(5000) + b"at all")
    for result in vmrescue.scan([gen2_broken, nothing], sha256=True):
        assert result.sha256 == run("sha256sum", result.image).split()[0]
        assert result.status == ("error" if result.image == str(nothing) else "findings")
    [plain] = vmrescue.scan([nothing])
    assert plain.sha256 is None


def test_holes_are_hashed_as_zeros_and_not_read(tmp_path: Path) -> None:
    holes = tmp_path / "holes.raw"
    with holes.open("wb") as file:
        file.truncate(3 << 20)
        file.seek((7 << 20) + 5)
        file.write(b"data" * 1000)
        file.truncate(64 << 20)
    assert sha256_of_file(holes) == run("sha256sum", holes).split()[0]
    assert sha256_of_file(tmp_path / "holes.raw") == sha256_of_file(str(holes))
    (tmp_path / "empty").touch()
    assert sha256_of_file(tmp_path / "empty") == run("sha256sum", tmp_path / "empty").split()[0]


def test_of_an_image_behind_a_url_no_hash_is_told_and_that_is_said() -> None:
    [result] = vmrescue.scan(["https://127.0.0.1:1/os.vhd?sig=secret"], sha256=True)
    assert (result.sha256, result.diagnosis) == (None, None)
    assert result.error
    assert result.error.message == (
        "https://127.0.0.1:1/os.vhd is not on this machine: a SHA-256 takes the whole file; download it first"
    )
