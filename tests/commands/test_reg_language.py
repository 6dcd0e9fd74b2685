"""reg.exe's words: how they are taken apart, and what is printed for them."""

from __future__ import annotations

import pytest

from commands.here import words_of
from vmrescue.commands.reg import KeyName, Outcome, parse, run
from vmrescue.commands.reg.one_hive import OneHive
from vmrescue.errors import FormatError, UsageError, VmRescueError
from vmrescue.registry import Hive, ValueType
from vmrescue.registry.operations import CreateKey, DeleteKey, DeleteValue, SetValue

BASE = "HKEY_CURRENT_USER\\Wine"


def sample() -> Hive:
    """The key, values and subkey on which Wine's tests of reg.exe were run on Windows."""
    hive = Hive.create("NTUSER.DAT")
    hive.create_key("Wine\\subkey")
    hive.set_value("Wine", "Test1", ValueType.SZ, "Hello, World")
    hive.set_value("Wine", "Test2", ValueType.DWORD, 0x123)
    hive.set_value("Wine", "Wine", ValueType.SZ, "First instance")
    hive.set_value("Wine\\subkey", "Test3", ValueType.SZ, "Some string data")
    hive.set_value("Wine\\subkey", "Test4", ValueType.DWORD, 0xABC)
    hive.set_value("Wine\\subkey", "Wine", ValueType.SZ, "Second instance")
    return hive


def outcome(line: str, hive: Hive | None = None, content: bytes = b"") -> Outcome:
    return run(parse(words_of(line)), OneHive(hive or sample(), "NTUSER.DAT"), content)


def printed(line: str, hive: Hive | None = None) -> str:
    return "".join(f"{each}\n" for each in outcome(line, hive).lines)


# --- query: the texts are those that Wine's tests record of Windows ---


def test_a_key_is_listed_with_its_values_and_then_its_subkeys() -> None:
    assert printed(r"query HKCU\Wine") == (
        f"\n{BASE}\n"
        "    Test1    REG_SZ    Hello, World\n"
        "    Test2    REG_DWORD    0x123\n"
        "    Wine    REG_SZ    First instance\n\n"
        f"{BASE}\\subkey\n"
    )


def test_a_key_without_subkeys_ends_with_a_blank_line() -> None:
    assert printed(r"query HKCU\Wine\subkey /v Test4") == f"\n{BASE}\\subkey\n    Test4    REG_DWORD    0xabc\n\n"


def test_a_listing_is_given_away_key_by_key_before_the_next_is_read() -> None:
    hive, shown = sample(), list[str]()
    hive.create_key("Wine\\subkey\\below")
    last = hive.find("Wine\\subkey\\below") + 4096 + 4
    data = bytearray(hive.to_bytes())
    data[last : last + 2] = b"??"  # its signature

    registry = OneHive(Hive(bytes(data)), "NTUSER.DAT")
    with pytest.raises(FormatError, match="key node"):
        run(parse(words_of("query HKCU /s")), registry, show=lambda piece: shown.extend(piece.lines))

    assert [line for line in shown if line.startswith("HKEY")] == [BASE, f"{BASE}\\subkey"]


@pytest.mark.parametrize("line", [r"query HKCU\Wine /s", "query HKCU\\Wine\\ /s"])
def test_a_recursive_listing_goes_down_key_by_key(line: str) -> None:
    assert printed(line) == (
        f"\n{BASE}\n"
        "    Test1    REG_SZ    Hello, World\n"
        "    Test2    REG_DWORD    0x123\n"
        "    Wine    REG_SZ    First instance\n\n"
        f"{BASE}\\subkey\n"
        "    Test3    REG_SZ    Some string data\n"
        "    Test4    REG_DWORD    0xabc\n"
        "    Wine    REG_SZ    Second instance\n\n"
    )


def test_one_value_is_looked_for_in_every_key_below() -> None:
    assert printed(r"query HKCU\Wine /v Wine /s") == (
        f"\n{BASE}\n    Wine    REG_SZ    First instance\n\n"
        f"{BASE}\\subkey\n    Wine    REG_SZ    Second instance\n\n"
        "End of search: 2 match(es) found.\n"
    )


def test_a_key_of_subkeys_only_is_not_named_itself() -> None:
    hive = Hive.create("NTUSER.DAT")
    hive.create_key("Wine\\subkey1")
    hive.create_key("Wine\\subkey2")

    assert printed(r"query HKCU\Wine", hive) == f"\n{BASE}\\subkey1\n{BASE}\\subkey2\n"
    assert printed(r"query HKCU\Wine /s", hive) == f"\n{BASE}\\subkey1\n\n{BASE}\\subkey2\n\n"


def test_a_default_value_that_is_not_set_is_said_to_be_so() -> None:
    assert printed(r"query HKCU\Wine /ve") == f"\n{BASE}\n    (Default)    REG_SZ    (value not set)\n\n"


@pytest.mark.parametrize(
    ("kind", "data", "shown"),
    [
        (ValueType.MULTI_SZ, ["a", "b"], "REG_MULTI_SZ    a\\0b"),
        (ValueType.BINARY, b"\x01\xab", "REG_BINARY    01AB"),
        (ValueType.NONE, b"\x01", "REG_NONE    01"),
        (ValueType.QWORD, 1 << 40, "REG_QWORD    0x10000000000"),
        (ValueType.EXPAND_SZ, "%x%", "REG_EXPAND_SZ    %x%"),
        (ValueType.DWORD, b"\x01", "REG_DWORD    01"),
        (0xFFFF0007, b"\x02", "0xffff0007    02"),
    ],
)
def test_each_type_has_its_form(kind: int, data: int | str | list[str] | bytes, shown: str) -> None:
    hive = Hive.create("NTUSER.DAT")
    hive.create_key("k")
    hive.set_value("k", "v", kind, data)

    assert printed(r"query HKCU\k", hive) == f"\nHKEY_CURRENT_USER\\k\n    v    {shown}\n\n"


def test_the_separator_of_lists_and_the_types_number_are_shown_on_request() -> None:
    hive = Hive.create("NTUSER.DAT")
    hive.set_value("", "v", ValueType.MULTI_SZ, ["a", "b"])

    assert "    v    REG_MULTI_SZ (7)    a,b\n" in printed(r"query HKLM\x /v v /z /se ,", hive)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("/f instance /s", ["First instance", "Second instance"]),
        ("/f INSTANCE /s /c", []),
        ("/f wine /s /v", ["First instance", "Second instance"]),
        ("/f second /s /v Wine", ["Second instance"]),
        ("/f Test? /v", ["Hello, World", "0x123"]),
        ('/f "Hello, World" /e', ["Hello, World"]),
        ("/f Hello /e", []),
        ("/f H*d /e /d", ["Hello, World"]),
        ("/s /t REG_DWORD", ["0x123", "0xabc"]),
        ("/f 0xabc /s /d /t REG_SZ,REG_DWORD", ["0xabc"]),
    ],
)
def test_a_search_finds_names_and_data(words: str, found: list[str]) -> None:
    done = outcome(rf"query HKCU\Wine {words}")

    values = [value for key in done.data or [] for value in key["values"]]
    assert [line.split("    ")[-1] for line in done.lines if line.startswith("    ")] == found
    assert done.lines[-1] == f"End of search: {len(values)} match(es) found."
    assert done.passed is bool(found)


def test_a_search_for_keys_finds_their_names_only() -> None:
    assert printed(r"query HKCU\Wine /f sub /k") == f"\n{BASE}\\subkey\n\nEnd of search: 1 match(es) found.\n"
    assert outcome(r"query HKLM\x /f sub /k /s").lines[-1].startswith("End of search: 1 ")


def test_values_that_share_their_cells_are_not_listed_for_ever() -> None:
    hive = Hive.create("NTUSER.DAT")
    for number in range(100):
        hive.set_value("", f"v{number}", ValueType.BINARY, b"x" * 4000 if not number else b"12345")
    data = bytearray(hive.to_bytes())
    shared = hive.root.values()[0].fields
    for value in hive.root.values()[1:]:
        place = 4096 + 4 + value.offset
        data[place + 4 : place + 12] = shared.stored_size.to_bytes(4, "little") + shared.data.to_bytes(4, "little")

    with pytest.raises(FormatError, match="data of its own"):
        outcome(r"query HKLM\x", Hive(bytes(data)))


# --- compare ---


def test_two_keys_are_compared_value_by_value() -> None:
    hive = sample()
    hive.create_key("Other\\subkey")
    hive.set_value("Other", "test1", ValueType.SZ, "Hello, World")
    hive.set_value("Other", "Test2", ValueType.DWORD, 1)
    line = r"compare HKCU\Wine HKCU\Other"

    done = outcome(line, hive)

    other = "HKEY_CURRENT_USER\\Other"
    assert not done.passed
    assert done.lines == [
        f"< Value:  {BASE}    Test2    REG_DWORD    0x123",
        f"< Value:  {BASE}    Wine    REG_SZ    First instance",
        f"> Value:  {other}    Test2    REG_DWORD    0x1",
        "",
        "Results Compared: Different",
        "",
        "The operation completed successfully.",
    ]
    assert outcome(f"{line} /os", hive).lines[0] == f"= Value:  {BASE}    Test1    REG_SZ    Hello, World"
    assert outcome(f"{line} /on", hive).lines[1] == "Results Compared: Different"
    assert outcome(f"{line} /v Test1", hive).passed
    assert outcome(r"compare HKCU\Wine HKCU\Wine /s", hive).passed


# --- the writing forms, as operations ---


@pytest.mark.parametrize(
    ("words", "name", "kind", "raw"),
    [
        ("/v x /t REG_DWORD /d 12345678", "x", 4, (12345678).to_bytes(4, "little")),
        ("/v x /t reg_dword /d 0Xdeadbeef", "x", 4, b"\xef\xbe\xad\xde"),
        ("/v x /t REG_DWORD_LITTLE_ENDIAN /d 0123", "x", 4, b"\x7b\0\0\0"),
        ("/v x /t REG_QWORD", "x", 11, bytes(8)),
        ("/v x /t REG_BINARY /d DeAdBeEf0DD", "x", 3, bytes.fromhex("0deadbeef0dd")),
        ("/v x /t REG_BINARY", "x", 3, b""),
        ("/ve /d WineTEST", "", 1, "WineTEST\0".encode("utf-16-le")),
        ("/f", "", 1, b"\0\0"),
        ("/t REG_NONE /d Test", "", 0, "Test\0".encode("utf-16-le")),
        (r"/v x /t REG_MULTI_SZ /d a\0b", "x", 7, "a\0b\0\0".encode("utf-16-le")),
        (r"/v x /t REG_MULTI_SZ /d a#b# /s #", "x", 7, "a\0b\0\0".encode("utf-16-le")),
        ("/v x /t REG_MULTI_SZ", "x", 7, b"\0\0"),
        (r"/v \foo\bar /d foo\0bar", r"\foo\bar", 1, "foo\\0bar\0".encode("utf-16-le")),
        ("/v x /d /f", "x", 1, "/f\0".encode("utf-16-le")),
    ],
)
def test_add_stores_what_windows_stores(words: str, name: str, kind: int, raw: bytes) -> None:
    key = f"{BASE}\\new"

    assert outcome(rf"add HKCU\Wine\new {words}").operations == (CreateKey(key), SetValue(key, name, kind, raw))


def test_delete_takes_a_value_all_values_or_the_key() -> None:
    assert outcome(r"delete HKCU\wine /v test1 /f").operations == (DeleteValue("HKEY_CURRENT_USER\\wine", "Test1"),)
    assert [each.name for each in outcome(r"delete HKCU\Wine /va").operations] == ["Test1", "Test2", "Wine"]  # type: ignore[union-attr]
    assert outcome(r"delete HKCU\Wine").operations == (DeleteKey(BASE),)


def test_copy_takes_the_values_and_with_s_the_keys_below() -> None:
    flat = outcome(r"copy HKCU\Wine HKCU\Copy").operations
    deep = outcome(r"copy HKCU\Wine HKCU\Copy /s /f").operations

    assert [each.path for each in flat] == ["HKEY_CURRENT_USER\\Copy"] * 4
    assert [each.path for each in deep[4:]] == ["HKEY_CURRENT_USER\\Copy\\subkey"] * 4


def test_a_key_may_be_copied_below_itself_and_the_copy_ends() -> None:
    paths = {each.path for each in outcome(r"copy HKCU\Wine HKCU\Wine\subkey\again /s").operations}

    assert paths == {f"{BASE}\\subkey\\again", f"{BASE}\\subkey\\again\\subkey"}


def test_current_control_set_is_what_select_says() -> None:
    hive = Hive.create("SYSTEM")
    hive.create_key("ControlSet003\\Control")
    hive.create_key("Select")
    hive.set_value("Select", "Current", ValueType.DWORD, 3)

    shown = printed(r"query HKLM\SYSTEM\currentcontrolset", hive)

    assert shown == "\nHKEY_LOCAL_MACHINE\\SYSTEM\\currentcontrolset\\Control\n"
    with pytest.raises(VmRescueError, match="Select"):
        outcome(r"query HKLM\SYSTEM\CurrentControlSet")


# --- what is refused ---


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "ERROR: Invalid syntax"),
        ("frobnicate", "ERROR: Invalid syntax"),
        (r"load HKLM\X C:\x", "nothing to load"),
        ("query", 'Type "REG QUERY /?" for usage.'),
        (r"query HKCU\Wine /v", "ERROR: Invalid syntax"),
        (r"query HKCU\Wine /s /s", "ERROR: Invalid syntax"),
        (r"query HKCU\Wine /v Test1 /ve", "ERROR: Invalid syntax"),
        (r"query HKCU\Wine /reg:32 /reg:64", "ERROR: Invalid syntax"),
        (r"query HKXX\Wine", "ERROR: Invalid key name"),
        (r"query \\machine\HKCU\Wine", "ERROR: Invalid key name"),
        (r"query HKCU\a\\b", "ERROR: Invalid key name"),
        (r"query HKCU\Missing", "The system was unable to find the specified registry key or value."),
        (r"query HKCU\Wine /v Missing", "The system was unable to find the specified registry key or value."),
        (r"query HKCU\Wine /se ab", "one character"),
        (r"query HKCU\Wine /t REG_FOO", "no type 'REG_FOO'"),
        (r"add HKCU\Wine /v x /t REG_DWORD", "valid numeric value"),
        (r"add HKCU\Wine /v x /t REG_DWORD /d -1", "valid numeric value"),
        (r"add HKCU\Wine /v x /t REG_DWORD /d 4294967296", "valid numeric value"),
        (r"add HKCU\Wine /v x /t REG_DWORD /d 00x123", "valid numeric value"),
        (r"add HKCU\Wine /v x /t REG_BINARY /d 0x12", "hexadecimal digits"),
        (r"add HKCU\Wine /v x /t REG_MULTI_SZ /d a\0\0b", "cannot be empty"),
        (r"add HKCU\Wine /v x /d", "ERROR: Invalid syntax"),
        (r"add HKCU\Wine /v x /v y", "ERROR: Invalid syntax"),
        (r"add HKCU\Wine /v x /a", "ERROR: Invalid syntax"),
        ("add HKCU /v x", "ERROR: Invalid key name"),
        (r"delete HKCU\Wine /v x /va", "ERROR: Invalid syntax"),
        (r"delete HKCU\Wine /v x", "The system was unable to find"),
        (r"delete HKLM\SYSTEM", "root of a hive"),
        (r"copy HKCU\Wine HKCU\wine\ /f", "cannot be copied onto itself"),
        (r"copy /f HKCU\Wine HKCU\Other", "ERROR: Invalid"),
        (r"compare HKCU\Wine HKCU\Wine /oa /os", "ERROR: Invalid syntax"),
        (r"compare HKCU\Wine HKCU\Missing", "The system was unable to find"),
        (r"query HKCC\System", "is no key of a hive file"),
    ],
)
def test_what_reg_refuses_is_refused_in_its_words(line: str, message: str) -> None:
    with pytest.raises(VmRescueError) as refusal:
        outcome(line)
    assert message in str(refusal.value)


def test_an_import_that_is_malformed_or_names_no_hive_is_refused() -> None:
    with pytest.raises(UsageError, match="begins with"):
        outcome("import x.reg", content=b"REGEDIT7")
    with pytest.raises(UsageError, match="Invalid key name"):
        outcome("import x.reg", content=b"REGEDIT4\n\n[ELSEWHERE\\x]\n")


def test_key_names_are_spelled_in_full() -> None:
    assert str(KeyName.parse("hklm\\System\\")) == "HKEY_LOCAL_MACHINE\\System"
    assert str(KeyName.parse("HKU")) == "HKEY_USERS"
