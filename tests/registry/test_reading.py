"""Reading real hives: the same content as the judges read, found by paths in any case of letters."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from registry.judges import assert_judges_agree, content_of
from registry.samples import boot_store, windows_7_hive, windows_10_system
from vmrescue.errors import FormatError, UnsupportedError, UsageError
from vmrescue.registry import Hive, KeyNotFound, ValueNotFound, ValueType, hive_state

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize("sample", [boot_store, windows_7_hive])
def test_a_real_hive_reads_as_three_independent_readers_read_it(tmp_path: Path, sample: Callable[[], bytes]) -> None:
    (tmp_path / "hive").write_bytes(sample())
    assert_judges_agree(tmp_path / "hive", content_of(Hive(sample())))


def test_a_system_hive_gives_what_the_checks_need() -> None:
    hive = Hive(windows_10_system())
    key = hive.key(r"controlset001\CONTROL\CrashControl")
    assert (key.name, key.path) == ("CrashControl", r"ControlSet001\Control\CrashControl")
    assert key.last_written == datetime(2019, 12, 7, 9, 54, 2, 939452, tzinfo=UTC)
    assert key.class_name == ""
    assert key.value("crashdumpENABLED").type is ValueType.DWORD
    assert key.value("CrashDumpEnabled").data == 7
    assert key.value("DumpFile").data == r"%SystemRoot%\MEMORY.DMP"
    assert key.value("DumpFilters").data == ["dumpfve.sys"]
    assert hive.key("Select").value("Current").raw == b"\x01\0\0\0"
    assert [key.name for key in hive.key("Setup").subkeys()][:2] == ["AllowStart", "BuildUpdate"]


def test_a_missing_key_or_value_is_named_with_the_place_where_it_was_looked_for() -> None:
    hive = Hive(windows_10_system())
    with pytest.raises(KeyNotFound, match=r"no key 'Crash' in ControlSet001\\Control") as missing:
        hive.key(r"ControlSet001\Control\Crash\Further")
    assert (missing.value.part, missing.value.parent) == ("Crash", r"ControlSet001\Control")
    with pytest.raises(ValueNotFound, match="no value 'Currant' in Select"):
        hive.key("Select").value("Currant")
    with pytest.raises(UsageError, match="single backslashes"):
        hive.key("\\ControlSet001")


def test_a_key_follows_the_edits_made_after_it_was_read() -> None:
    hive = Hive.create("SYSTEM")
    hive.set_value("", "count", ValueType.DWORD, 1)
    root, value = hive.root, hive.root.value("count")
    below = hive.create_key("a\\b")
    hive.set_value("", "count", ValueType.SZ, "one")
    assert value.data == "one"
    assert [key.name for key in root.subkeys()] == ["a"]
    hive.delete_key("a", recursive=True)
    assert root.subkeys() == []
    with pytest.raises(KeyNotFound):
        below.values()
    hive.delete_value("", "count")
    with pytest.raises(ValueNotFound):
        print(value.raw)


def test_the_state_is_known_from_the_first_sector() -> None:
    data = bytearray(windows_10_system()[:512])
    assert str(hive_state(data)) == "clean"
    data[4] += 1
    assert hive_state(data).reason == "the base block's checksum is 0x25fd801a, not 0x25fd801b"
    data[508] += 1
    assert hive_state(data).reason == "write 229 was begun, but 228 was the last to be completed"


def test_what_is_no_hive_or_no_known_version_is_said_to_be_so() -> None:
    data = Hive.create("SYSTEM").to_bytes()
    with pytest.raises(FormatError, match=r"base block at byte 0 .*signature 'regf'"):
        Hive(b"\0" * 8192)
    with pytest.raises(FormatError, match="expected 512 bytes, found 0 bytes"):
        Hive(b"")
    with pytest.raises(UnsupportedError, match=r"version 1\.7"):
        Hive(data[:24] + b"\x07" + data[25:])
    with pytest.raises(FormatError, match=r"base block at byte 28 .*found 6 \(a transaction log\)"):
        Hive(data[:28] + b"\x06" + data[29:])
    with pytest.raises(FormatError, match=r"base block at byte 40 .*found 4096"):
        Hive(data[:-1])
