"""Where the start ends: a rescue makes the one thing that is missing, or says that it cannot, and what helps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import vmrescue
from support.command import output_of, said_by
from support.command import vmrescue as command
from support.images import fingerprint
from support.machine import run
from vmrescue.transaction.uncovered import uncovered

if TYPE_CHECKING:
    from pathlib import Path

STORE = r"\EFI\Microsoft\Boot\BCD"
CONFIG = r"C:\Windows\System32\config"


def put(image: Path, volume: int, path: str, content: bytes) -> None:
    source = image.with_name("content")
    source.write_bytes(content)
    output_of("put", f"{image}:{volume}", source, path, "--yes", status=(0, 1))


def stop_of(image: Path) -> str:
    stop = vmrescue.rehearse(image).stop
    return stop.stage if stop else ""


def test_a_store_of_zeros_is_made_anew_with_its_settings_and_the_zeros_come_back(gen2_healthy: Path) -> None:
    put(gen2_healthy, 1, STORE, bytes(28672))
    before = fingerprint(gen2_healthy)
    assert stop_of(gen2_healthy) == "boot-manager"
    diagnosis = vmrescue.diagnose(gen2_healthy)
    said = {each.check for each in diagnosis.findings if each.severity == "critical"}
    assert said == {"boot-path", "boot-store", "missing-part"}
    assert output_of("diagnose", gen2_healthy, status=1).count("repair: the same as of boot-store") == 2
    shown = output_of("rescue", gen2_healthy, "--yes", "--backup-dir", gen2_healthy.with_name("backup"))
    assert "boot            put the boot path right: 1 change\n     writes \\EFI\\Microsoft\\Boot\\BCD" in shown
    assert stop_of(gen2_healthy) == ""
    [kept] = gen2_healthy.with_name("backup").glob("*/partition1/EFI/Microsoft/Boot/BCD")
    assert kept.read_bytes() == bytes(28672)
    vmrescue.undo(gen2_healthy)
    assert fingerprint(gen2_healthy) == before


@pytest.mark.parametrize("log", [False, True])
def test_a_store_of_which_a_part_is_left_is_not_replaced_and_that_is_said(log: bool, gen2_healthy: Path) -> None:
    whole = gen2_healthy.with_name("store")
    output_of("get", f"{gen2_healthy}:1", STORE, whole)
    damaged = bytes(4096) + whole.read_bytes()[4096:]
    put(gen2_healthy, 1, STORE, bytes(28672) if log else damaged)
    if log:
        put(gen2_healthy, 1, f"{STORE}.LOG1", whole.read_bytes())
    before = fingerprint(gen2_healthy)
    done = command("repair", gen2_healthy, "--only", "boot-store", "--yes")
    assert "Nothing was written." in done.stdout
    assert fingerprint(gen2_healthy) == before
    if not log:  # of the other the logs may mend what the loader reads: no stop is certain
        assert done.returncode == 1
        assert "This stands all the same:" in done.stdout
        assert "0xc000000f" in done.stdout


def test_a_store_that_is_there_is_looked_at_without_a_windows_and_one_that_is_not_waits_for_it(
    gen2_healthy: Path,
) -> None:
    """What a store has to say is told from the Windows: only where it is to be made is that missed."""
    put(gen2_healthy, 3, rf"{CONFIG[2:]}\SYSTEM", bytes(65536))
    without_system = {each.check for each in vmrescue.diagnose(gen2_healthy).not_checked}
    assert "control-set" in without_system
    assert "boot-store" not in without_system
    put(gen2_healthy, 1, STORE, bytes(28672))
    diagnosis = vmrescue.diagnose(gen2_healthy)
    [because] = [each.because for each in diagnosis.not_checked if each.check == "boot-store"]
    assert "SYSTEM" in because
    assert "boot-store" not in {each.check for each in diagnosis.findings}


def test_the_type_of_the_efi_system_partition_is_part_of_the_boot_path(gen2_healthy: Path, tmp_path: Path) -> None:
    raw = tmp_path / "disk.raw"
    run("qemu-img", "convert", "-O", "raw", gen2_healthy, raw)
    run("sgdisk", "-t", "1:0700", raw)
    outcome = vmrescue.rescue(raw, only=["boot"])
    assert [step.check for plan in outcome.plans for step in plan.steps] == ["esp-type"]
    assert outcome.remaining == []


def test_a_kernel_that_is_bad_is_said_with_the_command_that_puts_one_in(gen2_healthy: Path) -> None:
    put(gen2_healthy, 3, r"\Windows\System32\ntoskrnl.exe", b"")
    status, text = said_by("rescue", gen2_healthy, "--yes")
    assert status == 1
    assert "put the boot path right: due, but not made\n     the start ends all the same" in text
    said = " ".join(text.split())
    assert rf"next: vmrescue put {gen2_healthy} FILE 'C:\Windows\System32\ntoskrnl.exe'" in said
    assert "FILE: the same file from a Windows of the same build" in said


def test_a_copy_in_regback_is_named_where_it_is_whole(gen2_healthy: Path, tmp_path: Path) -> None:
    output_of("get", gen2_healthy, rf"{CONFIG}\SYSTEM", tmp_path / "SYSTEM")
    put(gen2_healthy, 3, r"\Windows\System32\config\SYSTEM", bytes(65536))
    said = " ".join(output_of("diagnose", gen2_healthy, status=1).split())
    assert rf"vmrescue put {gen2_healthy} BACKUP '{CONFIG}\SYSTEM'" in said
    keep_in_regback(gen2_healthy, tmp_path / "SYSTEM")
    finding = next(each for each in vmrescue.diagnose(gen2_healthy).findings if each.check == "missing-part")
    assert [type(each).__name__ for each in finding.intents] == ["TakeOut", "PutIn"]


def keep_in_regback(image: Path, hive: Path) -> None:
    """Puts a hive into RegBack, as the task of Windows does."""
    image.with_name("make.cmd").write_text("md C:\\Windows\\System32\\config\\RegBack\n")
    output_of("run", image, image.with_name("make.cmd"), "--yes", status=(0, 1))
    put(image, 3, r"\Windows\System32\config\RegBack\SYSTEM", hive.read_bytes())


def test_what_a_change_uncovers_is_told_from_what_it_makes(gen1_broken: Path) -> None:
    whole = vmrescue.diagnose(gen1_broken)
    run("sfdisk", "--no-reread", "--activate", gen1_broken, "2")
    run("sfdisk", "--no-reread", "--disk-id", gen1_broken, "0xdeadbeef")
    twice = vmrescue.diagnose(gen1_broken)
    run("sfdisk", "--no-reread", "--activate", gen1_broken, "1")
    once = vmrescue.diagnose(gen1_broken)
    assert uncovered(whole, once) == set(), "it started before"
    assert uncovered(whole, twice) == set()
    assert uncovered(once, twice) == set(), "it ends earlier than before"
    assert "boot-device" in uncovered(twice, once)
    assert "page-file" not in uncovered(twice, once)
