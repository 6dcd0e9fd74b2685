"""Registration files: as regedit writes them, and compatible with hivexregedit both ways."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.judges import assert_judges_agree, content_of
from registry.samples import at_noon, boot_store, hive_with_everything, windows_10_system
from support.machine import need_tool, run
from vmrescue.errors import RefusedError, UsageError
from vmrescue.registry import Hive, ValueType, export_reg, import_reg, reg_file

if TYPE_CHECKING:
    from pathlib import Path

SYSTEM = r"HKEY_LOCAL_MACHINE\SYSTEM"


def test_a_key_is_exported_as_regedit_writes_it() -> None:
    exported = export_reg(Hive(windows_10_system()), r"ControlSet001\Control\CrashControl\StorageTelemetry", SYSTEM)
    assert exported[:2] == b"\xff\xfe"
    text = exported[2:].decode("utf-16-le")
    assert text.startswith(
        "Windows Registry Editor Version 5.00\r\n\r\n"
        "[HKEY_LOCAL_MACHINE\\SYSTEM\\ControlSet001\\Control\\CrashControl\\StorageTelemetry]\r\n"
        '"DeviceDumpEnabled"=dword:00000001\r\n'
    )
    assert text.endswith("\r\n\r\n")


def test_long_data_is_broken_into_the_lines_that_regedit_makes() -> None:
    hive = Hive.create("SYSTEM")
    hive.set_value("", 'a "name"\\', ValueType.EXPAND_SZ, "%SystemRoot%\\MEMORY.DMP")
    hive.set_value("", "", ValueType.SZ, 'C:\\"x"')
    hive.set_value("", "b", ValueType.BINARY, bytes(26))
    hive.set_value("", "n", ValueType.NONE, b"")
    assert export_reg(hive, "", SYSTEM)[2:].decode("utf-16-le").split("\r\n")[2:-2] == [
        "[HKEY_LOCAL_MACHINE\\SYSTEM]",
        '"a \\"name\\"\\\\"=hex(2):25,00,53,00,79,00,73,00,74,00,65,00,6d,00,52,00,6f,00,6f,\\',
        "  00,74,00,25,00,5c,00,4d,00,45,00,4d,00,4f,00,52,00,59,00,2e,00,44,00,4d,00,\\",
        "  50,00,00,00",
        '@="C:\\\\\\"x\\""',
        '"b"=hex:00,00,00,00,00,00,00,00,00,00,00,00,00,00,00,00,00,00,00,00,00,00,00,\\',
        "  00,00,00",
        '"n"=hex(0):',
    ]


@pytest.mark.parametrize("minor", [3, 5])
def test_what_was_exported_is_imported_again_to_the_last_byte(minor: int) -> None:
    hive = hive_with_everything(minor)
    again = Hive.create("TEST", minor=minor)
    import_reg(again, export_reg(hive, "", SYSTEM), r"HKLM\System")
    assert content_of(again) == content_of(hive)


def test_hivexregedit_merges_what_we_export(tmp_path: Path) -> None:
    hive = Hive(boot_store())
    (tmp_path / "export.reg").write_bytes(export_reg(hive, "", r"HKEY_LOCAL_MACHINE\BCD00000000"))
    (tmp_path / "export.utf8").write_text((tmp_path / "export.reg").read_text("utf-16"), "utf-8")
    (tmp_path / "hive").write_bytes(Hive.create("BCD", minor=3).to_bytes())
    prefix = r"HKEY_LOCAL_MACHINE\BCD00000000"
    run("hivexregedit", "--merge", "--prefix", prefix, tmp_path / "hive", tmp_path / "export.utf8")
    assert_judges_agree(tmp_path / "hive", content_of(hive))


def test_we_import_what_hivexregedit_exports(tmp_path: Path) -> None:
    hive = hive_with_everything(5)
    (tmp_path / "hive").write_bytes(hive.to_bytes())
    command = [need_tool("hivexregedit"), "--export", "--prefix", SYSTEM, str(tmp_path / "hive"), "\\"]
    text = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    again = Hive.create("TEST")
    import_reg(again, text, SYSTEM)
    assert content_of(again) == content_of(hive)


def test_every_form_of_a_line_is_understood() -> None:
    hive = Hive.create("SYSTEM", clock=at_noon)
    hive.create_key("gone\\with\\all below")
    hive.set_value(hive.create_key("kept").path, "gone", ValueType.DWORD, 1)
    text = r"""Windows Registry Editor Version 5.00
; a comment

[-HKEY_LOCAL_MACHINE\SYSTEM\gone]
[-HKEY_LOCAL_MACHINE\SYSTEM\never there]
[HKLM\SYSTEM\kept] ; another
"gone"=-
"never there"=-
"dword"=DWORD:1f ; hexadecimal
@="default"
"two
lines"="a\\b \"c\"
d"
"multi"=hex(7):61,00,00,00,\
  62,00,00,00,\
  00,00
"short" = hex:1,02,
"odd"=hex(ffff0007):00
"perl"=str(2):"%x%"

[HKEY_LOCAL_MACHINE\SYSTEM\new [with] brackets\and below]
"""
    import_reg(hive, text.replace("\n", "\r\n").encode("utf-16"), SYSTEM)
    assert [key.path for key in hive.walk()] == ["", "kept", "new [with] brackets", "new [with] brackets\\and below"]
    assert {value.name: (int(value.type), value.data) for value in hive.key("kept").values()} == {
        "dword": (4, 31),
        "": (1, "default"),
        "two\r\nlines": (1, 'a\\b "c"\r\nd'),
        "multi": (7, ["a", "b"]),
        "short": (3, b"\x01\x02"),
        "odd": (0xFFFF0007, b"\0"),
        "perl": (2, "%x%"),
    }


def test_strings_in_a_file_of_the_old_version_are_not_utf_16() -> None:
    hive = Hive.create("SYSTEM")
    import_reg(hive, b'REGEDIT4\r\n\r\n[HKEY_LOCAL_MACHINE\\SYSTEM]\r\n"\xe9"=hex(2):25,78,e9,00\r\n', SYSTEM)
    assert hive.root.value("é").data == "%xé"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("REGEDIT5", "begins with 'Windows Registry Editor Version 5.00', not 'REGEDIT5'"),
        ("{}\n'x'=1", "line 2 .*: expected a key in brackets, found \"'x'=1\""),
        ("{}\n[HKLM\\SYSTEM]\nx=1", "line 3 .*: expected a key in brackets, or a value's name and '=', found 'x=1'"),
        ('{}\n\n[HKLM\\SYSTEM]\n"x"=1', "line 4 .*: expected a string in quotation marks, .* found '1'"),
        ('{}\n[HKLM\\SYSTEM]\n"x"=hex:123', "line 3 .*: expected bytes of two hexadecimal digits"),
        ('{}\n[HKLM\\SYSTEM]\n"x"=dword:1 2', "line 3 .*: expected the end of the line, found '2'"),
        ("{}\n[HKLM\\SOFTWARE\\x]", r"the key 'HKLM\\SOFTWARE\\x' does not lie in 'HKEY_LOCAL_MACHINE"),
    ],
)
def test_a_malformed_file_is_refused_with_the_line_and_nothing_is_done(text: str, message: str) -> None:
    hive = Hive.create("SYSTEM")
    lines = text.format("Windows Registry Editor Version 5.00").split("\n")
    with pytest.raises(UsageError, match=message):
        import_reg(hive, "\n".join(lines).encode(), SYSTEM)
    assert hive.changed_ranges() == []


def test_the_root_key_is_not_removed_by_a_file() -> None:
    text = "Windows Registry Editor Version 5.00\n\n[-HKEY_LOCAL_MACHINE\\SYSTEM]\n"
    with pytest.raises(RefusedError):
        import_reg(Hive.create("SYSTEM"), text.encode(), SYSTEM)


ANY_NAME = st.text(st.characters(exclude_characters="\\\0", max_codepoint=0xFFFF), max_size=20)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(ANY_NAME, st.tuples(st.integers(0, 12), st.binary(max_size=90)), max_size=6))
def test_any_values_survive_export_and_import(values: dict[str, tuple[int, bytes]]) -> None:
    hive = Hive.create("SYSTEM")
    for name, (kind, raw) in values.items():
        hive.set_value("", name, kind, raw)
    again = Hive.create("SYSTEM")
    import_reg(again, export_reg(hive, "", SYSTEM), SYSTEM)
    assert content_of(again) == content_of(hive)


FORGETFUL = [reg_file._BLANK, reg_file._NAME, reg_file._STRING, reg_file._HEX]


@settings(max_examples=2000)
@given(
    st.sampled_from(FORGETFUL), st.text('@"\\\n\r\t ;=0a,x', max_size=12), st.sampled_from(["", "hex:", '"', "str(1):"])
)
def test_a_pattern_that_remembers_nothing_finds_what_one_that_could_go_back_finds(
    pattern: re.Pattern[str], text: str, start: str
) -> None:
    going_back = re.sub(r"([+*?])\+", r"\1", pattern.pattern)
    assert going_back != pattern.pattern
    found, expected = pattern.match(start + text), re.compile(going_back, pattern.flags).match(start + text)
    assert (found and (found.span(), found.groups())) == (expected and (expected.span(), expected.groups()))
