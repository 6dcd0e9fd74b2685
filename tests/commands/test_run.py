"""`vmrescue run`: what the lines of a command file come to, and what is refused with its line, before any is done."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

import vmrescue as library
from bcd.stores import judged
from commands.here import output_of, vmrescue
from support.images import fingerprint
from support.machine import run
from support.machine_disk import mounted_ntfs
from vmrescue.commands.batch.runbook import Compiled, Runbook
from vmrescue.diagnosis import open_disks
from vmrescue.errors import VmRescueError
from vmrescue.windows import Installation

if TYPE_CHECKING:
    from pathlib import Path

OS = 33 << 20, 606 << 20
CONFIG = r"F:\Windows\System32\config"
NLS = r"C:\Windows\System32\C_437.NLS"
CRASH = r"ControlSet001\Control\CrashControl"


def written(folder: Path, *lines: str) -> Path:
    path = folder / "runbook.cmd"
    path.write_bytes("\r\n".join(lines).encode("utf-16"))
    return path


def test_later_lines_see_what_earlier_ones_did_and_all_is_one_plan_and_one_undo(gen1_broken: Path) -> None:
    before, folder = fingerprint(gen1_broken), gen1_broken.parent
    (folder / "own.txt").write_bytes(b"from this machine")
    file = written(
        folder,
        "@echo off",
        r'set "DIR=C:\Windows\Temp"',
        r"md %DIR%\a\b",
        r"copy own.txt %DIR%\a\b\new.txt >nul",
        r"copy /y %DIR%\a\b\new.txt %DIR%\second.txt",
        r"ren %DIR%\second.txt third.txt",
        r"del /q %DIR%\fill.bin",
        rf"copy {CONFIG}\SYSTEM {CONFIG}\SYSTEM.old",
        rf"reg load HKLM\BROKEN {CONFIG}\SYSTEM",
        rf'reg add "HKLM\BROKEN\{CRASH}" /v DumpFile /t REG_EXPAND_SZ /d "%SystemRoot%\X.DMP" /f',
        rf"reg add HKLM\SYSTEM\{CRASH} /v Twice /t REG_DWORD /d 1 /f",
        rf"reg add HKLM\BROKEN\{CRASH} /v Twice /t REG_DWORD /d 2 /f",
        r"reg query HKLM\SYSTEM\CurrentControlSet\Control\CrashControl /v Twice",
        r"reg export HKLM\BROKEN\Select %DIR%\select.reg /y",
        r"bcdedit /export C:\Windows\Temp\bcd.bak",
        r"attrib +h +s F:\boot\bcd",
        r"bcdedit /store F:\boot\bcd /timeout 7",
        r"bcdedit /store F:\boot\bcd /timeout 9",
        r"bcdedit /store %DIR%\bcd.bak /timeout 3",
    )

    shown = vmrescue("run", gen1_broken, file, "--dry-run", "--format", "json")
    assert (shown.status, fingerprint(gen1_broken)) == (0, before)
    document = json.loads(shown.out)
    (query,) = [line for line in document["lines"] if line["output"]]
    assert (query["line"], query["output"][2].split()) == (13, ["Twice", "REG_DWORD", "0x2"])
    assert (
        "line 16: the attributes of \\Boot\\BCD on partition 1 stay as they are: other lines write that file"
        in shown.err
    )
    assert "at the end of the file HKEY_LOCAL_MACHINE\\BROKEN is unloaded" in shown.err
    steps = [(step["reason"].split(":")[0], step["change"]["kind"]) for step in document["receipt"]["plan"]["steps"]]
    assert steps == [
        ("line 3", "make-folder"),
        ("line 3", "make-folder"),
        ("line 4", "put-file"),
        ("line 6", "put-file"),
        ("line 7", "delete-file"),
        ("line 8", "put-file"),
        ("line 14", "put-file"),
        ("line 19", "put-file"),
        ("line 10", "set-value"),
        ("line 12", "set-value"),
        ("line 18", "set-value"),
    ]
    planned = folder / "plan.json"
    output_of("run", gen1_broken, file, "-o", planned)
    assert fingerprint(gen1_broken) == before
    reasons = [step["reason"] for step in document["receipt"]["plan"]["steps"]]
    assert [step["reason"] for step in json.loads(planned.read_text())["steps"]] == reasons

    assert "Changed " in output_of("run", gen1_broken, file, "--yes")

    with mounted_ntfs(gen1_broken, *OS) as root:
        temp, config = root / "Windows/Temp", root / "Windows/System32/config"
        assert (temp / "a/b/new.txt").read_bytes() == (temp / "third.txt").read_bytes() == b"from this machine"
        assert not (temp / "fill.bin").exists()
        assert not (temp / "second.txt").exists()
        assert "Current" in (temp / "select.reg").read_bytes().decode("utf-16")
        crash, old = (judged((config / name).read_bytes())[CRASH] for name in ("SYSTEM", "SYSTEM.old"))
        timeout = r"Objects\{9dea862c-5cdd-4e70-acc1-f32b344d4795}\Elements\25000004"
        assert judged((temp / "bcd.bak").read_bytes())[timeout] == {"Element": "hex(3):03,00,00,00,00,00,00,00"}
    assert (crash["Twice"], "Twice" in old) == ("dword:00000002", False)
    assert "timeout                 9\n" in output_of("bcdedit", gen1_broken, "/enum", "{bootmgr}")
    output_of("undo", gen1_broken)
    assert fingerprint(gen1_broken) == before


def test_a_hive_put_back_from_its_copy_is_edited_as_it_then_is(gen1_broken: Path) -> None:
    before = fingerprint(gen1_broken)
    file = written(
        gen1_broken.parent,
        rf"copy {CONFIG}\SOFTWARE C:\Windows\Temp\SYSTEM",
        rf"ren {CONFIG}\SYSTEM SYSTEM.broken",
        rf"copy C:\Windows\Temp\SYSTEM {CONFIG}\SYSTEM",
        r"reg add HKLM\SYSTEM\Restored /v R /d yes /f",
        r"del C:\Windows\Temp\SYSTEM",
    )

    done = library.run(gen1_broken, file)

    assert [step.change.kind for step in done.plan.steps] == ["put-file", "put-file"]
    with mounted_ntfs(gen1_broken, *OS) as root:
        config = root / "Windows/System32/config"
        assert judged((config / "SYSTEM").read_bytes())["Restored"] == {
            "R": "hex(1):" + "yes\0".encode("utf-16-le").hex(",")
        }
        assert "Select" in judged((config / "SYSTEM.broken").read_bytes())
    library.undo(gen1_broken)
    assert fingerprint(gen1_broken) == before


def test_a_file_that_is_renamed_keeps_its_content_and_is_a_rename(gen1_broken: Path) -> None:
    file = written(gen1_broken.parent, rf"ren {NLS} a.nls", r"ren C:\Windows\System32\a.nls C_437.old")

    planned = library.run(gen1_broken, file, dry_run=True)

    (step,) = planned.plan.steps
    assert (step.change.kind, step.change.file.path, vars(step.change)["after"]) == (
        *("rename-file", NLS.removeprefix("C:\\"), "C_437.old"),
    )


def test_attributes_are_set_on_ntfs_and_fat_as_other_programs_see_them(gen1_broken: Path, gen2_healthy: Path) -> None:
    before = fingerprint(gen1_broken)
    file = written(gen1_broken.parent, rf"attrib +h +r -s {NLS}", r"attrib +S -A C:\Windows\Temp", rf"attrib -r {NLS}")
    done = library.run(gen1_broken, file)
    assert [(step.reason[:6], step.change.before_text, step.change.after_text) for step in done.plan.steps] == [
        ("line 3", "(none)", "hidden"),
        ("line 2", "(none)", "system"),
    ]
    with mounted_ntfs(gen1_broken, *OS) as root:
        for name, bits in (("System32/C_437.NLS", 2), ("Temp", 4), ("System32/C_1252.NLS", 0)):
            stored = os.getxattr(root / "Windows" / name, "system.ntfs_attrib")
            assert int.from_bytes(stored, "little") & 7 == bits, name
    library.undo(gen1_broken)
    assert fingerprint(gen1_broken) == before

    library.run(gen2_healthy, written(gen1_broken.parent, r"attrib +r +h +s S:\EFI\Microsoft\Boot\BCD"))
    disk = gen2_healthy.with_suffix(".raw")
    run("qemu-img", "convert", "-O", "raw", gen2_healthy, disk)
    assert "SHR" in "".join(run("mattrib", "-i", f"{disk}@@{1 << 20}", "::/EFI/Microsoft/Boot/BCD").split())


def test_a_pattern_takes_no_hidden_or_system_file(gen1_broken: Path) -> None:
    with mounted_ntfs(gen1_broken, *OS, writable=True) as root:
        for name in ("a.tmp", "b.tmp", "c.TMP", "d.txt", "e.log"):
            (root / "Windows/Temp" / name).write_bytes(b"x")
        os.setxattr(root / "Windows/Temp/b.tmp", "system.ntfs_attrib", (2).to_bytes(4, "little"))
    lines = r"del /q C:\Windows\Temp\*.tmp", r"del C:\Windows\Temp\?.log", r"del C:\Windows\Temp\*.none"

    done = library.run(gen1_broken, written(gen1_broken.parent, *lines), dry_run=True)
    below = library.run(gen1_broken, written(gen1_broken.parent, r"del /s /q /a C:\Windows\Temp"), dry_run=True)
    named = library.run(gen1_broken, written(gen1_broken.parent, r"del /s C:\Windows\d.txt"), dry_run=True)

    temp = {"a.tmp", "b.tmp", "c.TMP", "d.txt", "e.log", "fill.bin"}
    assert {step.change.file.path.rpartition("\\")[2] for step in below.plan.steps} >= temp
    assert [step.change.file.path for step in named.plan.steps] == [r"Windows\Temp\d.txt"]
    assert [step.change.file.path.rpartition("\\")[2] for step in done.plan.steps] == ["a.tmp", "c.TMP", "e.log"]
    tmp = "\\Windows\\Temp\\*.tmp on partition 2 (C:)"
    assert [note for each in done.compiled.printed for note in each.said.notes] == [
        f"1 of {tmp} stay: they are hidden, read-only or the system's (/a and /f take them too)",
        "there is nothing to delete: no file is \\Windows\\Temp\\*.none on partition 2 (C:)",
    ]


def test_a_line_that_cannot_be_done_is_refused_with_its_number(gen1_broken: Path) -> None:
    with open_disks([gen1_broken]) as disks:
        _each_refused(Installation(disks), gen1_broken.parent)


def _each_refused(installation: Installation, folder: Path) -> None:
    def compiled(*lines: str) -> Compiled:
        return Runbook.parse("\n".join(lines).encode(), "x.cmd", folder).compile(installation)

    (folder / "link").symlink_to("/etc/hostname")
    good = r"bcdedit /store F:\boot\bcd /timeout 7"
    for line, status, message in (
        (r"bcdedit /store F:\boot\bcd /deletevalue {default} nx2", 2, "element data type"),
        (r"bcdedit /store F:\no\bcd /timeout 7", 3, r"none of the volumes at hand has a file \no\bcd"),
        (r"reg add HKLM\BROKENSYSTEM\X /f", 3, "there is no hive HKLM\\BROKENSYSTEM"),
        (r"reg delete HKLM\SYSTEM\Nothing /f", 3, "unable to find the specified registry key"),
        (r"reg unload HKLM\BROKENSYSTEM", 2, "nothing is loaded"),
        (r"del C:\Windows\System32\config\SYSTEM", 4, "it is a hive of Windows"),
        (r"ren F:\bootmgr bootmgr.old", 4, "it is the boot manager"),
        (r"ren F:\boot boot.old", 4, "only files are renamed"),
        (r"del C:\nothing", 3, "there is no such file or folder"),
        (r"copy nothing.txt C:\Windows", 3, "a file of this machine"),
        (r"copy ..\x C:\Windows", 4, "lies elsewhere than the command file"),
        (r"copy link C:\Windows", 4, "lies elsewhere than the command file"),
        (r"copy F:\boot\bcd C:\Windows", 4, "a line before this one edits the hive"),
        (r"copy F:\bootmgr F:\new\x", 3, "none of the volumes at hand has a folder for it"),
        (r"copy F:\bootmgr F:\x", 4, "on partition 1 and partition 2 (C:)"),
        (r"copy F:\bootmgr C:\Windows\a?b", 2, "names that Windows allows"),
        (r"md C:\a|b".replace("|", "^|"), 2, "names that Windows allows"),
        (r"md D:\new", 3, "to this Windows D: is an MBR disk"),
        (rf"ren {NLS} c_437.nls", 4, "in other letters"),
        (r"md F:\new", 4, "on partition 1 and partition 2 (C:)"),
        (r"defrag D: /x", 3, "an MBR disk that is not at hand"),
    ):
        with pytest.raises(VmRescueError) as refused:
            compiled("@echo off", good, line)
        assert (refused.value.exit_status, str(refused.value).find("x.cmd, line 3: ")) == (status, 0), line
        assert message in str(refused.value), (line, refused.value)
    (listed,) = compiled(r"reg query HKLM\SYSTEM\Nothing").printed
    assert listed.said.notes[0].startswith("nothing is listed: ERROR: The system was unable to find")


def test_a_run_that_is_refused_writes_nothing(gen1_broken: Path) -> None:
    before, files = fingerprint(gen1_broken), set(gen1_broken.parent.iterdir())
    good = r"bcdedit /store F:\boot\bcd /timeout 7"
    for lines, status, message in (
        ((good, r"del C:\bootmgr"), 3, "runbook.cmd, line 2: C:\\bootmgr: there is no such file or folder"),
        ((good, "", "defrag C: /x"), 4, "runbook.cmd, line 3: a defragmentation is not undone, and a run is"),
        ((good, "if exist x echo y"), 2, "runbook.cmd, line 2: if is control flow"),
        ((good,), 4, "nobody to ask"),
    ):
        done = vmrescue("run", gen1_broken, written(gen1_broken.parent, *lines))
        assert (done.status, message in done.err) == (status, True), done.err
    assert fingerprint(gen1_broken) == before
    assert set(gen1_broken.parent.iterdir()) == {*files, gen1_broken.with_name("runbook.cmd")}
    hive = gen1_broken.with_name("BCD")
    output_of("bcdedit", gen1_broken, "/export", hive)
    assert "is a hive's file and no disk" in vmrescue("run", hive, written(gen1_broken.parent, good)).err


def test_a_letter_that_the_guest_has_too_may_be_said_to_be_the_repair_vms(gen1_broken: Path) -> None:
    file = written(gen1_broken.parent, r"bcdedit /store D:\boot\bcd /timeout 7")

    refused = vmrescue("run", gen1_broken, file, "--dry-run")
    assert (refused.status, "to this Windows D: is an MBR disk" in refused.err) == (3, True)
    done = vmrescue("run", gen1_broken, file, "--dry-run", "--repair-letter", "d:")
    assert (done.status, "D: is another machine's, as was said: D:\\boot\\bcd is taken" in done.err) == (0, True)
    assert vmrescue("run", gen1_broken, file, "--repair-letter", "disk").status == 2


def test_a_defragmentation_goes_into_a_copy_and_what_the_file_writes_there_is_undone(gen2_healthy: Path) -> None:
    before, child = fingerprint(gen2_healthy), gen2_healthy.with_name("child.vhd")
    file = written(gen2_healthy.parent, r"bcdedit /timeout %SECONDS%", "defrag C: /u /x /g")

    done = json.loads(
        output_of("run", gen2_healthy, file, "--set", "seconds=7", "--into", child, "--yes", "--format", "json")
    )

    assert done["defragmented"][0]["moves"] > 0
    assert [step["reason"] for step in done["receipt"]["plan"]["steps"]] == ["line 1: bcdedit /timeout 7"]
    assert "timeout                 7\n" in output_of("bcdedit", child, "/enum", "{bootmgr}")
    output_of("undo", child)
    assert output_of("bcdedit", child) == output_of("bcdedit", gen2_healthy)
    assert fingerprint(gen2_healthy) == before
