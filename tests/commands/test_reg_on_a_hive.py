"""reg on a hive's file: what it does there, as hivexregedit sees it, and that it is safe."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from commands.here import output_of, vmrescue
from commands.hives import CRASH_CONTROL, system_hive, utf16, values, written
from support.command import vmrescue as vmrescue_process
from support.images import fingerprint, sha256
from support.real_data import corpus
from vmrescue.procedure.hives import read_reg
from vmrescue.registry import Hive
from vmrescue.registry.base_block import checksum
from vmrescue.windows import Choice

if TYPE_CHECKING:
    from collections.abc import Callable

SUCCESS = "The operation completed successfully.\n"
KEY = rf"HKLM\SYSTEM\{CRASH_CONTROL}"


@pytest.fixture
def system(tmp_path: Path) -> Path:
    return written(system_hive(), tmp_path / "SYSTEM")


def test_add_sets_a_value_and_undo_gives_the_same_bytes(system: Path) -> None:
    before = fingerprint(system)

    printed = output_of("reg", system, "add", KEY, "/v", "NMICrashDump", "/t", "REG_DWORD", "/d", "1", "/f")

    assert printed.endswith(SUCCESS)
    assert values(system, CRASH_CONTROL) == {
        "CrashDumpEnabled": "dword:00000007",
        "DumpFile": "hex(2):" + utf16("%SystemRoot%\\MEMORY.DMP\0"),
        "NMICrashDump": "dword:00000001",
    }
    assert Hive(system.read_bytes()).check() == []
    output_of("undo", system)
    assert fingerprint(system) == before


def test_the_hive_and_its_manifest_are_backed_up_first(system: Path) -> None:
    before = sha256(system)

    output_of("reg", system, "add", KEY, "/v", "x", "/d", "y", "/f")

    (manifest,) = system.with_name("SYSTEM.vmrescue").glob("*/manifest.json")
    (row,) = json.loads(manifest.read_text())["files"]
    assert row["sha256"] == before == sha256(manifest.parent / row["copy"])


def test_before_an_edit_the_file_is_closed_so_that_the_kernel_can_say_who_else_has_it(system: Path) -> None:
    def open_here() -> bool:
        return any(each.resolve() == system.resolve() for each in Path("/proc/self/fd").iterdir())

    with read_reg(system, ["add", KEY, "/v", "new"], Choice(None, None), lambda notes: None):
        assert not open_here()
    with read_reg(system, ["export", KEY, "out.reg"], Choice(None, None), lambda notes: None):
        assert open_here()
    assert not open_here()


def test_a_dry_run_shows_the_change_and_writes_nothing(system: Path) -> None:
    before = fingerprint(system)

    printed = output_of("reg", system, "add", KEY, "/v", "CrashDumpEnabled", "/t", "REG_DWORD", "/d", "1", "--dry-run")

    assert "before  REG_DWORD 7\n" in printed
    assert "after   REG_DWORD 1\n" in printed
    assert "Nothing was written." in printed
    assert SUCCESS not in printed
    assert fingerprint(system) == before
    assert list(system.parent.iterdir()) == [system]


def test_without_f_it_asks_and_takes_no_for_an_answer(system: Path) -> None:
    before = fingerprint(system)

    refused = vmrescue_process("reg", system, "delete", KEY, "/va", stdin="n\n")

    assert refused.returncode == 4
    assert fingerprint(system) == before
    agreed = vmrescue_process("reg", system, "delete", KEY, "/va", stdin="y\n")
    assert agreed.returncode == 0
    assert values(system, CRASH_CONTROL) == {}


def test_what_is_so_already_is_not_written_again(system: Path) -> None:
    before = fingerprint(system)

    printed = output_of("reg", system, "add", KEY, "/v", "crashdumpenabled", "/t", "REG_DWORD", "/d", "7", "/f")

    assert "There is nothing to change." in printed
    assert printed.endswith(SUCCESS)
    assert fingerprint(system) == before


@pytest.mark.parametrize("name", [r"HKLM\BROKENSYSTEM", r"HKEY_LOCAL_MACHINE\system", r"HKU\anything"])
def test_a_hive_goes_by_any_name_below_a_root(system: Path, name: str) -> None:
    printed = output_of(
        "reg", system, "query", rf"{name}\CurrentControlSet\Control\CrashControl", "/v", "CrashDumpEnabled"
    )

    assert printed.endswith("    CrashDumpEnabled    REG_DWORD    0x8\n\n")


def test_a_hive_that_is_a_layer_is_read_with_a_note(system: Path) -> None:
    data = bytearray(system.read_bytes())
    struct.pack_into("<I", data, 144, 2)
    struct.pack_into("<I", data, 508, checksum(data))
    system.write_bytes(data)

    done = vmrescue("reg", system, "query", r"HKLM\SYSTEM\Select")

    assert (done.status, done.err.count("SYSTEM is a layer over another hive")) == (0, 1)


def test_a_root_that_is_the_hives_own_root_key_is_listed(system: Path) -> None:
    keys = ["ControlSet001", "ControlSet002", "Select"]

    printed = output_of("reg", system, "query", "HKCU")

    assert printed.split() == [f"HKEY_CURRENT_USER\\{key}" for key in keys]
    assert vmrescue("reg", system, "query", "HKCR").status == 2


def test_delete_takes_a_key_with_all_below_it(system: Path) -> None:
    output_of("reg", system, "DELETE", r"HKLM\SYSTEM\CurrentControlSet", "/f")

    assert values(system, "ControlSet002") is None
    assert values(system, CRASH_CONTROL) is not None


def test_copy_makes_an_equal_tree(system: Path) -> None:
    output_of("reg", system, "copy", r"HKLM\SYSTEM\ControlSet001", r"HKLM\SYSTEM\ControlSet009", "/s", "/f")

    assert values(system, CRASH_CONTROL.replace("001", "009")) == values(system, CRASH_CONTROL)
    assert vmrescue("reg", system, "compare", r"HKLM\S\ControlSet001", r"HKLM\S\ControlSet009", "/s").status == 0
    assert vmrescue("reg", system, "compare", r"HKLM\S\ControlSet001", r"HKLM\S\ControlSet002", "/s").status == 1


def test_an_import_comes_to_what_it_says_whatever_was_there(system: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.reg"
    text.write_text(
        "Windows Registry Editor Version 5.00\n\n"
        "[-HKEY_LOCAL_MACHINE\\SYSTEM\\ControlSet001\\Control]\n"
        "[HKEY_LOCAL_MACHINE\\SYSTEM\\ControlSet001\\Control\\CrashControl\\deep]\n"
        '"a"=dword:1\n"a"=dword:2\n"b"="gone"\n"b"=-\n'
        "[HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\CrashControl]\n"
        '"DumpFile"=-\n"never there"=-\n'
        "[-HKEY_LOCAL_MACHINE\\SYSTEM\\never there]\n"
    )

    printed = output_of("reg", system, "import", text, "--yes")

    assert "delete the value ControlSet001\\Control\\CrashControl\\CrashDumpEnabled" in printed
    assert values(system, CRASH_CONTROL) == {}
    assert values(system, f"{CRASH_CONTROL}\\deep") == {"a": "dword:00000002"}
    assert values(system, CRASH_CONTROL.replace("001", "002")) == {"CrashDumpEnabled": "dword:00000008"}


def test_an_import_that_fails_in_the_middle_writes_nothing(system: Path, tmp_path: Path) -> None:
    before = fingerprint(system)
    text = tmp_path / "text.reg"
    text.write_text("REGEDIT4\n\n[HKEY_LOCAL_MACHINE\\SYSTEM\\new]\n\n[-HKEY_LOCAL_MACHINE\\SYSTEM]\n")

    done = vmrescue("reg", system, "import", text, "--yes")

    assert done.status == 4
    assert "root key" in done.err
    assert fingerprint(system) == before


def test_a_dirty_hive_is_read_and_edited_with_its_logs_replayed(tmp_path: Path) -> None:
    hive = tmp_path / "SYSTEM"
    hive.write_bytes(corpus("hives/SYSTEM_B"))
    for suffix in ("LOG1", "LOG2"):
        hive.with_suffix(f".{suffix}").write_bytes(corpus(f"hives/SYSTEM_B.{suffix}"))
    before = fingerprint(hive)

    output_of("reg", hive, "add", r"HKLM\SYSTEM\Select", "/v", "vmrescue", "/t", "REG_DWORD", "/d", "1", "/f")

    assert (values(hive, "Select") or {})["vmrescue"] == "dword:00000001"
    assert len(hive.read_bytes()) > 4096 + 12398592, "the logs grow the hive"
    output_of("undo", hive)
    assert fingerprint(hive) == before


def test_a_link_leads_to_the_hive_and_to_its_logs(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    hive, link = tmp_path / "real/NTUSER.DAT", tmp_path / "link"
    hive.write_bytes(corpus("hives/NewDirtyHive1/NewDirtyHive"))
    for suffix in ("LOG1", "LOG2"):
        hive.with_name(f"NTUSER.DAT.{suffix}").write_bytes(corpus(f"hives/NewDirtyHive1/NewDirtyHive.{suffix}"))
    link.symlink_to(hive)

    output_of("reg", link, "add", r"HKU\x\vmrescue", "/v", "x", "/t", "REG_DWORD", "/d", "1", "/f")

    assert values(hive, "vmrescue") == {"x": "dword:00000001"}
    assert link.is_symlink()
    assert output_of("reg", link, "query", r"HKU\x\vmrescue") == output_of("reg", hive, "query", r"HKU\x\vmrescue")


def test_that_the_logs_of_a_hive_were_replayed_to_read_it_is_told_who_asks(tmp_path: Path) -> None:
    hive = tmp_path / "NTUSER.DAT"
    hive.write_bytes(corpus("hives/NewDirtyHive1/NewDirtyHive"))
    for suffix in ("LOG1", "LOG2"):
        hive.with_name(f"NTUSER.DAT.{suffix}").write_bytes(corpus(f"hives/NewDirtyHive1/NewDirtyHive.{suffix}"))
    asked = vmrescue_process("-v", "reg", hive, "query", r"HKU\x")
    assert "dirty: write 3 was begun, but 2 was the last to be completed: read with its transaction logs replayed" in (
        asked.stderr
    )
    assert vmrescue_process("reg", hive, "query", r"HKU\x").stderr == ""


def of_another_generation() -> bytes:
    """A log of the same hive whose entries were all written out long ago: they begin before its last write."""
    log = bytearray(corpus("hives/SYSTEM_B.LOG1"))
    struct.pack_into("<II", log, 4, 3, 3)
    struct.pack_into("<I", log, 508, checksum(log))
    return bytes(log)


@pytest.mark.parametrize(
    "log",
    [lambda: None, lambda: bytes(4096), lambda: corpus("hives/NewDirtyHive1/NewDirtyHive.LOG1"), of_another_generation],
    ids=["no log", "an empty log", "another hive's log", "a log of long ago"],
)
def test_a_dirty_hive_that_no_log_mends_is_read_with_a_note_and_not_edited(
    log: Callable[[], bytes | None], tmp_path: Path
) -> None:
    hive = tmp_path / "SYSTEM"
    hive.write_bytes(corpus("hives/SYSTEM_B"))
    if content := log():
        (tmp_path / "SYSTEM.LOG1").write_bytes(content)
    before = fingerprint(hive)

    asked = vmrescue("reg", hive, "query", r"HKLM\SYSTEM\Select")
    assert asked.status == 0
    assert "Current    REG_DWORD" in asked.out
    assert f"note: the hive {hive} is dirty" in asked.err
    assert "newer changes may be missing" in asked.err
    refused = vmrescue("reg", hive, "add", r"HKLM\SYSTEM\Select", "/v", "x", "/f")
    assert refused.status == 4
    assert r"the hive \SYSTEM on this machine is dirty" in refused.err
    assert "it is not edited" in refused.err
    assert vmrescue("reg", hive, "check", r"HKLM\SYSTEM").status == 1
    assert fingerprint(hive) == before


def test_check_names_the_damage(system: Path) -> None:
    assert output_of("reg", system, "check", r"HKLM\SYSTEM") == "HKEY_LOCAL_MACHINE\\SYSTEM: the hive is sound.\n"
    data = bytearray(system.read_bytes())
    place = data.index(b"nk", 5000)
    data[place + 36 : place + 40] = (9).to_bytes(4, "little")  # the number of values
    system.write_bytes(data)

    done = vmrescue("reg", system, "check", r"HKLM\SYSTEM", "--format", "json")

    assert done.status == 1
    assert all(row["problem"] for row in json.loads(done.out))


@pytest.mark.parametrize("counted", [0, 1, 1000], ids=["none", "too few", "too many"])
def test_a_hive_with_a_wrong_count_of_references_is_sound_and_edited(system: Path, counted: int) -> None:
    data = bytearray(system.read_bytes())
    cell = Hive(bytes(data)).root.node.security
    struct.pack_into("<I", data, 4096 + 4 + cell + 12, counted)
    system.write_bytes(data)
    before = fingerprint(system)

    printed = output_of("reg", system, "check", r"HKLM\SYSTEM")
    output_of("reg", system, "delete", KEY, "/f")
    output_of("reg", system, "add", r"HKLM\SYSTEM\new", "/v", "x", "/t", "REG_DWORD", "/d", "1", "/f")

    assert printed.startswith("HKEY_LOCAL_MACHINE\\SYSTEM: the hive is sound.\nnote: key security at byte ")
    assert values(system, "new") == {"x": "dword:00000001"}
    output_of("undo", system)
    output_of("undo", system)
    assert fingerprint(system) == before


def test_what_windows_mends_by_itself_is_said_and_does_not_stop_an_edit(system: Path) -> None:
    data = bytearray(system.read_bytes())
    key = Hive(bytes(data)).key("ControlSet001").offset
    struct.pack_into("<I", data, 4096 + 4 + key + 48, 0x20)  # a class name, and no length of it
    system.write_bytes(data)

    assert "has a class name of 0 bytes at byte 4128 (0x1020)" in vmrescue("reg", system, "check", r"HKLM\SYSTEM").out
    output_of("reg", system, "add", KEY, "/v", "NMICrashDump", "/t", "REG_DWORD", "/d", "1", "/f")

    assert (values(system, CRASH_CONTROL) or {})["NMICrashDump"] == "dword:00000001"


def test_a_listing_is_json_on_request(system: Path) -> None:
    document = json.loads(output_of("reg", system, "query", KEY, "--format", "json"))

    assert document == [
        {
            "key": rf"HKEY_LOCAL_MACHINE\SYSTEM\{CRASH_CONTROL}",
            "values": [
                {"name": "CrashDumpEnabled", "type": "REG_DWORD", "data": 7},
                {"name": "DumpFile", "type": "REG_EXPAND_SZ", "data": "%SystemRoot%\\MEMORY.DMP"},
            ],
        }
    ]


def test_names_out_of_a_hive_cannot_move_the_cursor(tmp_path: Path) -> None:
    hive = Hive.create("SYSTEM")
    hive.create_key("\x1b[2Jclear\nline")

    printed = output_of("reg", written(hive, tmp_path / "SYSTEM"), "query", r"HKLM\SYSTEM")

    assert printed == "\nHKEY_LOCAL_MACHINE\\SYSTEM\\\\\\{1b}[2Jclear\\\\{a}line\n"


def test_an_export_does_not_overwrite_a_file_unasked(system: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.reg"
    target.write_text("precious")

    refused = vmrescue("reg", system, "export", r"HKLM\SYSTEM\Select", target)

    assert refused.status == 4
    assert target.read_text() == "precious"
    output_of("reg", system, "export", r"HKLM\SYSTEM\Select", target, "/y")
    assert target.read_text("utf-16").startswith("Windows Registry Editor Version 5.00")


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["frobnicate"], 2, "ERROR: Invalid syntax.\n"),
        (["query", r"HKLM\SYSTEM\Missing"], 1, "ERROR: The system was unable to find"),
        (["add", KEY, "/v", "x", "/t", "REG_DWORD", "/d", "many"], 2, "valid numeric value"),
        (["import", "/no/such/file.reg"], 3, "cannot read /no/such/file.reg"),
        (["export", r"HKLM\SYSTEM\Select", "/no/such/folder/x.reg"], 5, "cannot write"),
    ],
)
def test_errors_have_their_status_and_write_nothing(system: Path, words: list[str], status: int, message: str) -> None:
    before = fingerprint(system)

    done = vmrescue("reg", system, *words)

    assert (done.status, done.out) == (status, "")
    assert message in done.err
    assert fingerprint(system) == before
    assert list(system.parent.iterdir()) == [system]
