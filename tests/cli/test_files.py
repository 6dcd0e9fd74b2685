"""Files inside an image, for a person's hands: ls, cat, get, put, rm, backup; and the list of repairs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from support.command import output_of, vmrescue
from support.images import fingerprint, sha256
from support.machine import run
from support.machine_disk import loop_device, mounted_ntfs

if TYPE_CHECKING:
    from pathlib import Path

GEN1_OS = 33 << 20, 606 << 20


def judge(image: Path) -> None:
    with loop_device(image, *GEN1_OS) as device:
        run("ntfsresize", "--info", "--force", device)


def test_ls_names_the_volume_by_number_by_letter_or_not_at_all(gen1_broken: Path) -> None:
    by_default = output_of("ls", gen1_broken)
    assert "pagefile.sys" in by_default
    assert output_of("ls", f"{gen1_broken}:C") == output_of("ls", f"{gen1_broken}:2") == by_default
    assert "bootmgr" in output_of("ls", f"{gen1_broken}:1")
    rows = json.loads(output_of("ls", gen1_broken, r"C:\Windows\System32\config", "--format", "json"))
    assert [row["name"] for row in rows] == ["DEFAULT", "SAM", "SECURITY", "SOFTWARE", "SYSTEM"]
    assert all(row["bytes"] % 4096 == 0 for row in rows)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["ls", "{}:9"], 3),
        (["ls", "{}:Q"], 3),
        (["ls", "{}", "Nowhere"], 3),
        (["cat", "{}", "Windows"], 3),
        (["ls", "{}:1", r"C:\Windows"], 2),
        (["rm", "{}", "nothing.txt", "--yes"], 3),
        (["rm", "{}", r"$MFT", "--yes"], 4),
    ],
)
def test_what_is_not_there_is_said(gen1_broken: Path, arguments: list[str], status: int) -> None:
    before = fingerprint(gen1_broken)
    done = vmrescue(*(argument.format(gen1_broken) for argument in arguments))
    assert done.returncode == status
    assert done.stderr.count("\n") == 1
    assert fingerprint(gen1_broken) == before


def test_get_copies_a_file_out_and_overwrites_nothing(gen1_broken: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    output_of("get", f"{gen1_broken}:1", r"Boot\BCD", folder)
    run("hivexregedit", "--export", folder / "BCD", "\\")
    assert vmrescue("get", f"{gen1_broken}:1", r"Boot\BCD", folder).returncode == 4
    output_of("get", "--force", f"{gen1_broken}:1", r"Boot\BCD", folder)


def test_get_makes_the_folder_that_a_slash_names(gen1_broken: Path, tmp_path: Path) -> None:
    printed = output_of("get", f"{gen1_broken}:1", r"Boot\BCD", f"{tmp_path}/new/folder/")
    assert printed == f"{tmp_path}/new/folder/BCD\n"
    assert (tmp_path / "new/folder/BCD").is_file()
    file = tmp_path / "file"
    file.write_bytes(b"")
    done = vmrescue("get", f"{gen1_broken}:1", r"Boot\BCD", f"{file}/")
    assert (done.returncode, done.stderr) == (5, f"vmrescue: cannot make the folder {file}/: File exists\n")


@pytest.mark.parametrize("size", [0, 100, 5000, 3_000_000])
def test_put_then_rm_then_undo_twice(gen1_broken: Path, tmp_path: Path, size: int) -> None:
    before = fingerprint(gen1_broken)
    source = tmp_path / "source"
    source.write_bytes(bytes(number % 251 for number in range(size)))
    output_of("put", gen1_broken, source, r"Windows\Temp\über.bin", "--yes")
    judge(gen1_broken)
    with mounted_ntfs(gen1_broken, *GEN1_OS) as root:
        assert (root / "Windows/Temp/über.bin").read_bytes() == source.read_bytes()
    with_file = fingerprint(gen1_broken)
    output_of("rm", gen1_broken, r"Windows\Temp\über.bin", "--yes")
    judge(gen1_broken)
    with mounted_ntfs(gen1_broken, *GEN1_OS) as root:
        assert not (root / "Windows/Temp/über.bin").exists()
    rows = json.loads(output_of("undo", "--list", gen1_broken, "--format", "json"))
    assert [(row["number"], row["state"]) for row in rows] == [(1, "done"), (2, "done")]
    assert all(row["receipt"] for row in rows)
    output_of("undo", gen1_broken)
    assert fingerprint(gen1_broken) == with_file
    output_of("undo", gen1_broken)
    assert fingerprint(gen1_broken) == before
    assert "undone" in output_of("undo", "--list", gen1_broken)


def test_put_replaces_what_is_there(gen1_broken: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"MZ new" * 1000)
    output_of("put", gen1_broken, source, r"Windows\System32\ntoskrnl.exe", "--yes")
    judge(gen1_broken)
    with mounted_ntfs(gen1_broken, *GEN1_OS) as root:
        assert (root / "Windows/System32/ntoskrnl.exe").read_bytes() == source.read_bytes()


def test_a_file_with_other_names_changes_under_all_and_that_is_said(gen1_broken: Path, tmp_path: Path) -> None:
    """Most programs of Windows have a second name below WinSxS; `ntfs-3g` makes it here, and reads both after."""
    kernel, other = "Windows/System32/ntoskrnl.exe", "Windows/other.exe"
    with mounted_ntfs(gen1_broken, *GEN1_OS, writable=True) as root:
        (root / other).hardlink_to(root / kernel)
    source = tmp_path / "source"
    source.write_bytes(b"MZ new" * 1000)
    alone = vmrescue("put", gen1_broken, source, r"\Windows\alone.exe", "--yes")
    assert "hard links" not in alone.stderr
    said = r"\Windows\System32\ntoskrnl.exe on partition 2 is a file with 2 names (hard links)"
    words = "put", gen1_broken, source, r"\Windows\System32\ntoskrnl.exe"
    dry = vmrescue(*words, "--dry-run", "--format", "json")
    assert [said in each for each in json.loads(dry.stdout)["warnings"]] == [True]
    done = vmrescue(*words, "--yes")
    assert f"{said}: it changes under all of them" in done.stderr
    [receipt] = [each for each in gen1_broken.parent.rglob("receipt.json") if "hard links" in each.read_text()]
    assert [said in each for each in json.loads(receipt.read_text())["warnings"]] == [True]
    with mounted_ntfs(gen1_broken, *GEN1_OS) as root:
        assert (root / other).read_bytes() == (root / kernel).read_bytes() == source.read_bytes()


def test_backup_copies_the_config_folder_and_the_store(gen2_broken: Path, tmp_path: Path) -> None:
    before = fingerprint(gen2_broken)
    folder = tmp_path / "backup"
    output_of("backup", gen2_broken, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert {row["path"] for row in manifest["files"]} == {
        r"EFI\Microsoft\Boot\BCD",
        *(rf"Windows\System32\config\{hive}" for hive in ("DEFAULT", "SAM", "SECURITY", "SOFTWARE", "SYSTEM")),
    }
    for row in manifest["files"]:
        assert sha256(folder / row["copy"]) == row["sha256"]
        run("reglookup", folder / row["copy"])
    assert fingerprint(gen2_broken) == before


def test_ls_of_a_file_shows_that_file(gen1_broken: Path) -> None:
    assert output_of("ls", gen1_broken, r"Windows\System32\config\SYSTEM").split()[-1] == "SYSTEM"


def test_an_edit_by_hand_says_what_it_made_worse_and_nothing_else(gen1_broken: Path) -> None:
    key = r"HKLM\SYSTEM\ControlSet001\Control\CrashControl"
    harmless = output_of("reg", gen1_broken, "add", key, "/v", "Mine", "/d", "text", "/f")
    assert harmless.startswith("  1. set ")
    assert "Changed " in harmless
    assert "it shows nothing new" in harmless
    value = [r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management", "/v", "PagingFiles"]
    worse = output_of("reg", gen1_broken, "add", *value, "/t", "REG_MULTI_SZ", "/d", r"Z:\pagefile.sys 0 0", "/f")
    new = worse.partition("this is new or different:\n")[2].splitlines()
    assert ["page-file: the page file is configured on Z:" in line for line in new] == [True, False]


def test_the_list_of_repairs_says_by_what_each_was_made(gen2_broken: Path) -> None:
    output_of("repair", gen2_broken, "--yes", "--only", "bad-memory,page-file", status=(0, 1))
    output_of("bcdedit", gen2_broken, "/timeout", "7")
    repaired, edited = json.loads(output_of("undo", gen2_broken, "--list", "--format", "json"))
    assert set(repaired["made"]) == {"bad-memory", "page-file"}
    assert edited["made"] == {"bcdedit": 1}
    shown = output_of("undo", gen2_broken, "--list")
    assert "bytes  bad-memory, page-file" in shown
    assert "bytes  bcdedit\n" in shown
    for receipt in gen2_broken.parent.rglob("receipt.json"):
        receipt.write_text('{"journals": {"' + gen2_broken.name + '": 1}, "plan": {"steps": [{"check": 5}]}}')
    assert "(not known)" in output_of("undo", gen2_broken, "--list")
