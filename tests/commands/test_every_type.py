"""Values of every type, and with data that is not as the type would have it: shown, exported, imported, planned."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bcd.stores import judged, merged
from commands.here import output_of, vmrescue
from commands.hives import CRASH_CONTROL, system_hive, utf16, written
from registry.judges import assert_judges_agree, content_of
from vmrescue.registry import Hive

if TYPE_CHECKING:
    from pathlib import Path

UNENDED, ODD = utf16("ab"), utf16("ab") + ",78"
# name: (type's number, bytes as hivexregedit takes them, what a query prints, what else JSON has beside "data")
CASES: dict[str, tuple[int, str, str]] = {
    "none": (0, "01,02", "REG_NONE    0102"),
    "none empty": (0, "", "REG_NONE    "),
    "text": (1, utf16("ab\0"), "REG_SZ    ab"),
    "text unended": (1, UNENDED, "REG_SZ    ab"),
    "text odd": (1, ODD, "REG_SZ    ab"),
    "text with more": (1, utf16("ab\0cd\0"), "REG_SZ    ab"),
    "expand": (2, utf16("%x%\0"), "REG_EXPAND_SZ    %x%"),
    "expand odd": (2, ODD, "REG_EXPAND_SZ    ab"),
    "binary": (3, "00,ff", "REG_BINARY    00FF"),
    "number": (4, "01,02,03,04", "REG_DWORD    0x4030201"),
    "number short": (4, "01,02", "REG_DWORD    0102"),
    "number long": (4, "01,02,03,04,05", "REG_DWORD    0102030405"),
    "big": (5, "00,00,00,07", "REG_DWORD_BIG_ENDIAN    0x7"),
    "big short": (5, "00,07", "REG_DWORD_BIG_ENDIAN    0007"),
    "link": (6, utf16("\\Registry\\Machine"), "REG_LINK    \\Registry\\Machine"),
    "list": (7, utf16("a\0b\0\0"), "REG_MULTI_SZ    a\\0b"),
    "list empty": (7, utf16("\0"), "REG_MULTI_SZ    "),
    "list ended twice": (7, utf16("a\0b\0\0\0"), "REG_MULTI_SZ    a\\0b"),
    "list of nothing but ends": (7, utf16("\0\0\0"), "REG_MULTI_SZ    "),
    "list unended": (7, utf16("a\0b\0"), "REG_MULTI_SZ    a\\0b"),
    "list with empty strings": (7, utf16("\0a\0\0b\0\0"), "REG_MULTI_SZ    \\0a\\0\\0b"),
    "resources": (8, "01", "REG_RESOURCE_LIST    01"),
    "descriptor": (9, "01,02", "REG_FULL_RESOURCE_DESCRIPTOR    0102"),
    "requirements": (10, "03", "REG_RESOURCE_REQUIREMENTS_LIST    03"),
    "long": (11, "01,00,00,00,00,00,00,80", "REG_QWORD    0x8000000000000001"),
    "long short": (11, "01,02,03", "REG_QWORD    010203"),
    "long long": (11, "01,02,03,04,05,06,07,08,09", "REG_QWORD    010203040506070809"),
    "unknown": (0x12, "01,02", "0x12    0102"),
    "property": (0xFFFF0011, "01", "0xffff0011    01"),
}
SAYS_ALL = ("text", "expand", "number", "big", "link", "list", "list empty", "long")


@pytest.fixture
def hive(tmp_path: Path) -> Path:
    """All of them as hivexregedit writes them, which lets no type of its own choice be anything but bytes."""
    values = [f'"{name}"=hex({kind:x}):{raw}' for name, (kind, raw, _) in CASES.items()]
    path = tmp_path / "TEST"
    path.write_bytes(merged(Hive.create("TEST").to_bytes(), "\n".join(["[\\key]", *values])))
    return path


def test_every_value_is_shown_as_windows_would(hive: Path) -> None:
    printed = output_of("reg", hive, "query", r"HKLM\TEST\key")

    assert printed.split("\n")[2:-2] == [f"    {name}    {shown}" for name, (_, _, shown) in CASES.items()]


def test_json_has_the_bytes_wherever_the_data_does_not_say_all(hive: Path) -> None:
    (document,) = json.loads(output_of("reg", hive, "query", r"HKLM\TEST\key", "--format", "json"))

    found = {value["name"]: value for value in document["values"]}
    for name, (_, raw, _) in CASES.items():
        assert ("hex" in found[name]) == (name not in SAYS_ALL), name
        assert found[name].get("hex", raw.replace(",", "")) == raw.replace(",", "")
    assert found["big"]["data"] == 7
    assert found["list with empty strings"]["data"] == []


def test_every_value_survives_export_plan_and_import(hive: Path, tmp_path: Path) -> None:
    text, plan = tmp_path / "text.reg", tmp_path / "plan.json"
    empty = written(Hive.create("TEST"), tmp_path / "empty")
    output_of("reg", hive, "export", r"HKLM\TEST", text)
    receipt = json.loads(output_of("reg", empty, "import", text, "--dry-run", "--format", "json"))
    plan.write_text(json.dumps(receipt["plan"]), "utf-8")

    output_of("apply", plan, empty, "--yes")

    assert judged(empty.read_bytes())["key"] == judged(hive.read_bytes())["key"]
    assert content_of(Hive(empty.read_bytes())) == content_of(Hive(hive.read_bytes()))


def test_a_number_of_either_order_is_added_as_it_is_shown(tmp_path: Path) -> None:
    path = written(Hive.create("TEST"), tmp_path / "TEST")
    for kind in ("REG_DWORD", "REG_DWORD_BIG_ENDIAN"):
        output_of("reg", path, "add", r"HKLM\TEST\key", "/v", kind, "/t", kind, "/d", "7", "/f")
        assert output_of("reg", path, "query", r"HKLM\TEST\key", "/v", kind).endswith(f"{kind}    0x7\n\n")
    assert judged(path.read_bytes())["key"] == {
        "REG_DWORD": "dword:00000007",
        "REG_DWORD_BIG_ENDIAN": "hex(5):00,00,00,07",
    }
    assert_judges_agree(path, content_of(Hive(path.read_bytes())))


# the roots


def test_a_query_of_a_root_descends_when_it_is_asked_to(tmp_path: Path) -> None:
    path = written(system_hive(), tmp_path / "SYSTEM")

    printed = output_of("reg", path, "query", "HKLM", "/s")

    assert f"\nHKEY_LOCAL_MACHINE\\SYSTEM\\{CRASH_CONTROL}\n    CrashDumpEnabled    REG_DWORD    0x7\n" in printed
    assert printed.count("\nHKEY_LOCAL_MACHINE") == len(list(system_hive().walk()))
    assert output_of("reg", path, "query", "HKLM") == "\nHKEY_LOCAL_MACHINE\\SYSTEM\n"


def test_a_search_from_a_root_looks_into_its_hives(tmp_path: Path) -> None:
    path = written(system_hive(), tmp_path / "SYSTEM")

    assert "End of search: 2 match(es)" in output_of("reg", path, "query", "HKLM", "/s", "/v", "crashdumpenabled")
    assert "End of search: 2 match(es)" in output_of("reg", path, "query", "HKU", "/f", "MEMORY", "/s")
    assert "End of search: 1 match(es)" in output_of("reg", path, "query", "HKLM", "/f", "SYS", "/k")
    assert vmrescue("reg", path, "query", "HKLM", "/f", "MEMORY").status == 1
    assert vmrescue("reg", path, "query", "HKLM", "/v", "x").status == 1


def test_every_hive_of_an_image_is_listed_below_its_root(gen1_broken: Path) -> None:
    document = json.loads(output_of("reg", gen1_broken, "query", "HKLM", "/s", "--format", "json"))

    keys = {row["key"] for row in document}
    assert "HKEY_LOCAL_MACHINE\\SYSTEM\\Select" in keys
    assert "HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion" in keys
    assert "HKEY_LOCAL_MACHINE\\BCD00000000\\Objects" in keys
