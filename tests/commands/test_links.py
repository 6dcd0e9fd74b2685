r"""Symbolic links between keys: followed as Windows does, shown and deleted as what they are.

hivexregedit, which follows no link, says what is stored where.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bcd.stores import judged
from commands.here import output_of, vmrescue
from commands.hives import CRASH_CONTROL, system_hive, utf16, values, written
from registry.judges import assert_judges_agree, content_of
from support.images import fingerprint
from vmrescue.registry import Hive, ValueType

if TYPE_CHECKING:
    from pathlib import Path

MACHINE = "\\Registry\\Machine\\System"
REAL = r"ControlSet001\Control\Real"
LINK = r"ControlSet001\Control\Link"
LINK_ITSELF = {"SymbolicLinkValue": "hex(6):" + utf16(f"{MACHINE}\\{REAL}")}
SYM_LINK = 0x10


def linked(path: Path, target: str = f"{MACHINE}\\{REAL}") -> Path:
    """A SYSTEM hive with a key, `LINK`, that is a link."""
    hive = system_hive()
    hive.create_key(f"{REAL}\\below")
    hive.set_value(REAL, "there", ValueType.DWORD, 1)
    hive.create_link(LINK, target)
    return written(hive, path)


@pytest.fixture
def system(tmp_path: Path) -> Path:
    return linked(tmp_path / "SYSTEM")


def folder(path: Path) -> Path:
    """A new folder, so that a second hive can be called SYSTEM."""
    (path / "other").mkdir()
    return path / "other"


def flags(path: Path, key: str) -> int:
    return Hive(path.read_bytes()).key(key).node.flags


def test_what_is_written_to_a_link_is_written_where_it_leads(system: Path) -> None:
    before = fingerprint(system)

    output_of("reg", system, "add", rf"HKLM\SYSTEM\{LINK}", "/v", "new", "/t", "REG_DWORD", "/d", "5", "/f")
    output_of("reg", system, "add", rf"HKLM\SYSTEM\{LINK}\deep\er", "/v", "x", "/t", "REG_DWORD", "/d", "6", "/f")

    assert values(system, REAL) == {"there": "dword:00000001", "new": "dword:00000005"}
    assert values(system, rf"{REAL}\deep\er") == {"x": "dword:00000006"}
    assert values(system, LINK) == LINK_ITSELF
    assert Hive(system.read_bytes()).check() == []
    output_of("reg", system, "delete", rf"HKLM\SYSTEM\{LINK}", "/v", "there", "/f")
    output_of("reg", system, "delete", rf"HKLM\SYSTEM\{LINK}\deep", "/f")
    assert values(system, REAL) == {"new": "dword:00000005"}
    assert values(system, rf"{REAL}\deep") is None
    for _ in range(4):
        output_of("undo", system)
    assert fingerprint(system) == before


def test_a_query_shows_a_link_as_a_link_and_reads_through_it(system: Path) -> None:
    shown = f"\n\nHKEY_LOCAL_MACHINE\\SYSTEM\\{LINK}\n    SymbolicLinkValue    REG_LINK    {MACHINE}\\{REAL}\n\n"

    assert output_of("reg", system, "query", rf"HKLM\SYSTEM\{LINK}") == shown[1:]
    assert shown in output_of("reg", system, "query", r"HKLM\SYSTEM\ControlSet001", "/s")
    assert output_of("reg", system, "query", rf"HKLM\SYSTEM\{LINK}", "/v", "there").endswith("REG_DWORD    0x1\n\n")
    assert vmrescue("reg", system, "query", rf"HKLM\SYSTEM\{LINK}\below").status == 0


def test_deleting_a_link_leaves_what_it_leads_to(system: Path) -> None:
    output_of("reg", system, "delete", rf"HKLM\SYSTEM\{LINK}", "/f")

    assert values(system, LINK) is None
    assert values(system, REAL) == {"there": "dword:00000001"}


def test_deleting_a_key_with_a_link_in_it_leaves_what_that_leads_to(tmp_path: Path) -> None:
    system = linked(tmp_path / "SYSTEM", f"{MACHINE}\\ControlSet002\\Control")

    output_of("reg", system, "delete", r"HKLM\SYSTEM\ControlSet001", "/f")

    assert values(system, CRASH_CONTROL.replace("001", "002")) is not None


def test_the_export_of_a_link_is_a_link_and_imports_as_one(system: Path, tmp_path: Path) -> None:
    text, empty = tmp_path / "text.reg", written(Hive.create("SYSTEM"), folder(tmp_path) / "SYSTEM")
    output_of("reg", system, "export", r"HKLM\SYSTEM", text)
    assert '"SymbolicLinkValue"=hex(6):5c,00,52,00' in text.read_text("utf-16")

    output_of("reg", empty, "import", text, "--yes")

    assert_judges_agree(empty, content_of(Hive(system.read_bytes())))
    assert flags(empty, LINK) & SYM_LINK
    assert not flags(empty, REAL) & SYM_LINK
    output_of("reg", empty, "add", rf"HKLM\SYSTEM\{LINK}", "/v", "new", "/t", "REG_DWORD", "/d", "5", "/f")
    assert values(empty, REAL) == {"there": "dword:00000001", "new": "dword:00000005"}


def test_a_copy_of_a_link_is_a_link(system: Path) -> None:
    output_of("reg", system, "copy", rf"HKLM\SYSTEM\{LINK}", r"HKLM\SYSTEM\Copy", "/s", "/f")

    assert values(system, "Copy") == LINK_ITSELF
    assert flags(system, "Copy") & SYM_LINK


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (r"\Registry\Machine\SOFTWARE\Microsoft", "which is outside of this hive"),
        (r"Registry\Machine\System\Select", "which is outside of this hive"),
        (f"{MACHINE}\\{LINK}\\x", "which leads in a circle, or through more than 32 links"),
        (f"{MACHINE}\\{REAL}\\gone", "which is not there"),
        (f"{MACHINE}\\CurrentControlSet\\Gone", "which is not there"),
    ],
)
def test_a_link_to_no_key_of_the_hive_is_said_and_refused(tmp_path: Path, target: str, why: str) -> None:
    system = linked(tmp_path / "SYSTEM", target)
    before = fingerprint(system)

    for words in (("add", "/v", "x", "/f"), ("delete", "/va", "/f"), ("query", "/v", "x")):
        done = vmrescue("reg", system, words[0], rf"HKLM\SYSTEM\{LINK}", *words[1:])
        assert (done.status, done.out) == (4, "")
        assert why in done.err
        assert "ControlSet001\\Control\\Link" in done.err
    assert fingerprint(system) == before
    assert "REG_LINK" in output_of("reg", system, "query", rf"HKLM\SYSTEM\{LINK}")
    output_of("reg", system, "delete", rf"HKLM\SYSTEM\{LINK}", "/f")
    assert values(system, LINK) is None


def test_a_link_through_the_current_control_set_follows_select(tmp_path: Path) -> None:
    system = linked(tmp_path / "SYSTEM", f"{MACHINE}\\CurrentControlSet\\Control\\CrashControl")

    output_of("reg", system, "add", rf"HKLM\SYSTEM\{LINK}", "/v", "new", "/t", "REG_DWORD", "/d", "5", "/f")

    assert (values(system, CRASH_CONTROL.replace("001", "002")) or {})["new"] == "dword:00000005"


def test_links_that_name_links_take_no_time(tmp_path: Path) -> None:
    hive = system_hive()
    hive.create_link("l00", MACHINE)
    for number in range(1, 40):
        hive.create_link(f"l{number:02}", MACHINE + f"\\l{number - 1:02}" * 20)

    done = vmrescue("reg", written(hive, tmp_path / "SYSTEM"), "add", r"HKLM\SYSTEM\l39", "/v", "x", "/f")

    assert (done.status, "more than 32 links" in done.err) == (4, True)


@pytest.mark.parametrize("name", ["COPY.BIN", "SOFTWARE"])
def test_where_a_hive_is_mounted_its_files_name_says_or_else_the_hive(tmp_path: Path, name: str) -> None:
    """`system_hive` calls itself SYSTEM, as its base block does."""
    system = linked(tmp_path / name)

    done = vmrescue("reg", system, "add", rf"HKLM\x\{LINK}", "/v", "new", "/t", "REG_DWORD", "/d", "5", "/f")

    assert done.status == (4 if name == "SOFTWARE" else 0)


def test_a_stored_current_control_set_is_shown_and_deleted_and_nothing_is_written_to_it(tmp_path: Path) -> None:
    hive = system_hive()
    hive.set_value(hive.create_key("CurrentControlSet\\Control").path, "x", ValueType.DWORD, 1)
    system = written(hive, tmp_path / "SYSTEM")
    before = fingerprint(system)

    done = vmrescue("reg", system, "add", r"HKLM\SYSTEM\CurrentControlSet\Control", "/v", "y", "/f")

    assert (done.status, fingerprint(system)) == (4, before)
    assert "CurrentControlSet of its own" in done.err
    assert "0x1" in output_of("reg", system, "query", r"HKLM\SYSTEM\CurrentControlSet", "/s")
    output_of("reg", system, "delete", r"HKLM\SYSTEM\CurrentControlSet", "/f")
    assert values(system, "CurrentControlSet") is None
    assert values(system, CRASH_CONTROL) is not None


def test_a_stored_link_of_that_name_is_what_windows_makes_of_it(tmp_path: Path) -> None:
    hive = system_hive()
    hive.create_link("CurrentControlSet", f"{MACHINE}\\ControlSet001")
    system = written(hive, tmp_path / "SYSTEM")

    output_of("reg", system, "add", r"HKLM\SYSTEM\CurrentControlSet\Control\CrashControl", "/v", "y", "/f")

    assert "y" in (values(system, CRASH_CONTROL.replace("001", "002")) or {})
    output_of("reg", system, "delete", r"HKLM\SYSTEM\CurrentControlSet", "/f")
    assert values(system, "CurrentControlSet") is None
    assert values(system, CRASH_CONTROL) is not None


# in an image


def with_link(image: Path, folder: Path, target: str) -> Path:
    """The image with CrashControl of each control set moved away, and a link in its place."""
    system = folder / "SYSTEM"
    output_of("get", image, "Windows/System32/config/SYSTEM", system)
    hive = Hive(system.read_bytes())
    control = "ControlSet001\\Control"
    hive.rename_key(f"{control}\\CrashControl", "Real")
    hive.create_link(f"{control}\\CrashControl", target)
    system.write_bytes(hive.to_bytes())
    output_of("put", image, system, "Windows/System32/config/SYSTEM", "--yes")
    return image


BOOT_MANAGER = r"Objects\{9dea862c-5cdd-4e70-acc1-f32b344d4795}"


@pytest.mark.parametrize("key", ["", r"\Description", r"\Elements", r"\Elements\12000004"])
def test_a_link_in_a_boot_store_is_said_and_nothing_is_written(tmp_path: Path, key: str) -> None:
    store = tmp_path / "BCD"
    output_of("bcdedit", "/createstore", store)
    output_of("bcdedit", store, "/create", "{bootmgr}", "--yes")
    output_of("bcdedit", store, "/set", "{bootmgr}", "description", "mine", "--yes")
    hive = Hive(store.read_bytes())
    hive.rename_key(f"{BOOT_MANAGER}{key}", "{elsewhere}")
    elsewhere = f"{BOOT_MANAGER}{key}".rpartition("\\")[0] + "\\{elsewhere}"
    hive.create_link(f"{BOOT_MANAGER}{key}", f"\\Registry\\Machine\\BCD00000000\\{elsewhere}")
    written(hive, store)
    before = fingerprint(store)

    for words in (["/enum", "all"], ["/set", "{bootmgr}", "timeout", "5", "--yes"]):
        done = vmrescue("bcdedit", store, *words)
        assert (done.status, "is a symbolic link, which no store should have" in done.err) == (3, True), words
    assert fingerprint(store) == before


def system_of(image: Path, folder: Path) -> dict[str, dict[str, str]]:
    target = folder / "now"
    output_of("get", image, "Windows/System32/config/SYSTEM", target)
    return judged(target.read_bytes())


def test_a_repair_writes_where_the_link_leads(gen1_broken: Path, tmp_path: Path) -> None:
    image = with_link(gen1_broken, tmp_path, f"{MACHINE}\\CurrentControlSet\\Control\\Real")
    before = fingerprint(image)

    output_of("repair", image, "--only", "crash-dump", "--yes")

    after = system_of(image, tmp_path)
    assert after["ControlSet001\\Control\\CrashControl"].keys() == {"SymbolicLinkValue"}
    assert after["ControlSet001\\Control\\Real"]["NMICrashDump"] == "dword:00000001"
    output_of("diagnose", image, "--only", "crash-dump")
    output_of("undo", image)
    assert fingerprint(image) == before


def test_a_link_that_cannot_be_followed_ends_one_check_and_not_the_diagnosis(gen1_broken: Path, tmp_path: Path) -> None:
    image = with_link(gen1_broken, tmp_path, f"{MACHINE}\\ControlSet001\\Control\\CrashControl")

    document = json.loads(output_of("diagnose", image, "--format", "json", status=1))

    found = {finding["check"]: finding["summary"] for finding in document["findings"]}
    assert found["crash-dump"].startswith("not checked: the key ")
    assert [each["check"] for each in document["not_checked"]] == ["crash-dump"]
    assert len(found) > 3
    assert "not checked" in vmrescue("repair", image, "--yes").out
    assert system_of(image, tmp_path)["ControlSet001\\Control\\CrashControl"].keys() == {"SymbolicLinkValue"}
