"""Editing real hives: what changes, what stays, and what the judges make of it."""

from __future__ import annotations

import struct
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from registry.judges import assert_judges_agree, content_of
from registry.samples import NOON, at_noon, boot_store, windows_7_hive, windows_10_system
from support.machine import run
from vmrescue.errors import FormatError, RefusedError, UsageError
from vmrescue.registry import Hive, KeyNotFound, ValueNotFound, ValueType, security
from vmrescue.registry.check import Weight
from vmrescue.registry.key import LINK_VALUE
from vmrescue.registry.mounts import mount_of
from vmrescue.registry.value_type import encode

if TYPE_CHECKING:
    from pathlib import Path

    from registry.judges import Content

CRASH = r"ControlSet001\Control\CrashControl"


def test_setting_a_number_changes_one_page_and_the_base_block() -> None:
    before = windows_10_system()
    hive = Hive(before, clock=at_noon)
    assert hive.changed_ranges() == []
    hive.set_value(CRASH, "CrashDumpEnabled", ValueType.DWORD, 1)
    after = hive.to_bytes()
    assert hive.changed_ranges() == [(0, 4096), (360448, 4096)]
    assert after[4096:360448] == before[4096:360448]
    assert after[364544:] == before[364544:]
    again = Hive(after)
    assert again.key(CRASH).value("CrashDumpEnabled").data == 1
    assert again.key(CRASH).last_written == NOON
    assert again.sequence == Hive(before).sequence + 1
    assert not again.dirty_before.dirty


def test_a_new_number_touches_its_key_its_list_and_no_more_than_one_further_page() -> None:
    hive = Hive(windows_10_system())
    hive.set_value(CRASH, "NMICrashDump", ValueType.DWORD, 1)
    assert sum(length for offset, length in hive.changed_ranges() if offset) <= 3 * 4096


def test_every_kind_of_edit_in_a_real_system_hive_is_seen_by_three_readers(tmp_path: Path) -> None:
    hive = Hive(windows_10_system())
    content = content_of(hive)
    hive.set_value(CRASH, "crashdumpenabled", ValueType.DWORD, 1)
    content[CRASH]["CrashDumpEnabled"] = (4, b"\1\0\0\0")
    hive.set_value(CRASH, "DumpFile", ValueType.EXPAND_SZ, "D:\\" + "long" * 30)
    content[CRASH]["DumpFile"] = (2, encode(2, "D:\\" + "long" * 30))
    hive.delete_value(CRASH, "AutoReboot")
    del content[CRASH]["AutoReboot"]
    services = r"ControlSet001\Services"
    hive.create_key(rf"{services}\a new one\Parameters")
    content |= {rf"{services}\a new one": {}, rf"{services}\a new one\Parameters": {}}
    hive.rename_key(rf"{services}\ACPI", "Z renamed to something longer than it was")
    for path in [path for path in content if path == rf"{services}\ACPI" or path.startswith(f"{services}\\ACPI\\")]:
        rest = path.removeprefix(rf"{services}\ACPI")
        content[rf"{services}\Z renamed to something longer than it was{rest}"] = content.pop(path)
    hive.delete_key(rf"{services}\Tcpip", recursive=True)
    tcpip = f"{services}\\Tcpip\\"
    content = {path: values for path, values in content.items() if not f"{path}\\".startswith(tcpip)}
    (tmp_path / "hive").write_bytes(hive.to_bytes())
    assert_judges_agree(tmp_path / "hive", content)


def test_a_boot_store_is_edited_in_its_own_version(tmp_path: Path) -> None:
    hive = Hive(boot_store())
    content = content_of(hive)
    objects = [path for path in content if path.startswith("Objects\\") and path.count("\\") == 1]
    for number, path in enumerate(objects):
        hive.set_value(path, "added", ValueType.BINARY, bytes(number * 3000))
        content[path]["added"] = (3, bytes(number * 3000))
    (tmp_path / "hive").write_bytes(hive.to_bytes())
    assert_judges_agree(tmp_path / "hive", content)
    assert len(hive.to_bytes()) % 4096 == 0


def test_hivex_edits_on_where_we_stopped(tmp_path: Path) -> None:
    hive = Hive(windows_7_hive())
    hive.create_key("ours\\below")
    hive.set_value("ours", "a", ValueType.SZ, "by vmrescue")
    path = tmp_path / "hive"
    path.write_bytes(hive.to_bytes())
    commands = "cd ours\nadd theirs\ncd theirs\nsetval 1\nb\nstring:by hivex\ncommit\nquit\n"
    run("hivexsh", "-w", path, stdin=commands.encode())
    again = Hive(path.read_bytes())
    assert again.key("ours\\theirs").value("b").data == "by hivex"
    again.delete_key("ours", recursive=True)
    path.write_bytes(again.to_bytes())
    assert_judges_agree(path, content_of(Hive(windows_7_hive())))


def test_an_edit_that_fails_leaves_the_hive_as_it_was() -> None:
    data = bytearray(windows_10_system())
    key = Hive(bytes(data)).key(r"ControlSet001\Services\Tcpip\Parameters")
    struct.pack_into("<I", data, 4096 + 4 + 16 + key.offset, 0x20)  # its parent is wrong
    hive = Hive(bytes(data))
    hive.set_value(CRASH, "CrashDumpEnabled", ValueType.DWORD, 1)
    before = hive.to_bytes()
    with pytest.raises(FormatError, match="the parent"):
        hive.delete_key(r"ControlSet001\Services\Tcpip", recursive=True)
    with pytest.raises(UsageError, match="name"):
        hive.create_key(r"New\Newer" + "\\" + "x" * 256)
    assert hive.to_bytes() == before
    hive.set_value(CRASH, "CrashDumpEnabled", ValueType.DWORD, 2)
    assert hive.key(CRASH).value("CrashDumpEnabled").data == 2


def test_what_is_not_there_or_not_safe_is_refused() -> None:
    hive = Hive(windows_10_system())
    with pytest.raises(KeyNotFound):
        hive.set_value("ControlSet002\\Control", "x", ValueType.DWORD, 1)
    with pytest.raises(ValueNotFound):
        hive.delete_value("Select", "Currant")
    with pytest.raises(RefusedError, match="has subkeys"):
        hive.delete_key("ControlSet001")
    with pytest.raises(RefusedError, match="root key"):
        hive.delete_key("", recursive=True)
    with pytest.raises(UsageError, match="a REG_DWORD cannot hold 'one'"):
        hive.set_value("Select", "Current", ValueType.DWORD, "one")
    with pytest.raises(UsageError, match="there is a key 'select' already"):
        hive.rename_key("Setup", "select")
    assert hive.changed_ranges() == []


def test_a_dirty_hive_without_logs_is_read_but_not_edited() -> None:
    data = bytearray(windows_10_system())
    data[4] += 1
    data[508] ^= 228 ^ 229
    hive = Hive(bytes(data))
    assert hive.key("Select").value("Current").data == 1
    assert hive.dirty_before.dirty
    with pytest.raises(RefusedError, match="no transaction log applies"):
        hive.set_value("Select", "Current", ValueType.DWORD, 2)


def test_a_key_is_renamed_in_place_with_all_below_it() -> None:
    hive = Hive.create("SYSTEM")
    hive.set_value(hive.create_key("old\\below").path, "v", ValueType.DWORD, 1)
    assert hive.rename_key("old", "OLD").path == "OLD"
    assert hive.rename_key("old", "a name in UTF-16: имя").subkeys()[0].value("v").data == 1
    assert hive.key("A NAME in utf-16: ИМЯ\\below").value("v").data == 1
    assert [key.name for key in hive.root.subkeys()] == ["a name in UTF-16: имя"]


def test_keys_share_their_descriptor_and_the_last_of_them_takes_it_away() -> None:
    hive = Hive(windows_10_system())
    before = Counter(key.node.security for key in hive.walk())
    alone = next(key for key in hive.walk() if before[key.node.security] == 1 and not key.subkeys())
    path, cell = alone.path, alone.node.security
    hive.create_key(f"{path}\\below")
    assert hive.key(f"{path}\\below").node.security == cell
    assert hive.key(f"{path}\\below").security_descriptor == hive.key(path).security_descriptor
    assert security.read(hive.cells, cell).references == 2
    hive.delete_key(path, recursive=True)
    assert len({key.node.security for key in hive.walk()}) == len(before) - 1
    assert hive.check() == []  # a cell that nobody has any more, or a gap in the ring, would be reported


def test_what_windows_left_of_volatile_keys_does_not_confuse(tmp_path: Path) -> None:
    hive = Hive.create("SYSTEM")
    for name in ("a", "b"):
        hive.create_key(f"key\\{name}")
    data = bytearray(hive.to_bytes())
    struct.pack_into("<I", data, 4096 + 4 + hive.key("key").offset + 24, 7)  # volatile subkeys
    struct.pack_into("<I", data, 4096 + 4 + hive.key("key").offset + 32, 0x80000178)  # and a list of them, in memory
    again = Hive(bytes(data))
    again.create_key("key\\c")
    again.delete_key("key\\a")
    again.rename_key("key", "a key with a longer name")
    (tmp_path / "hive").write_bytes(again.to_bytes())
    below: Content = {f"a key with a longer name\\{name}": {} for name in "bc"}
    assert_judges_agree(tmp_path / "hive", {"": {}, "a key with a longer name": {}, **below})
    assert again.check() == []


def test_counts_that_cannot_be_true_stop_an_edit_and_leave_the_hive_as_it_was() -> None:
    hive = Hive.create("SYSTEM")
    hive.create_key("a\\b")
    subkeys = 4 + hive.root.offset + 20
    data = bytearray(hive.to_bytes())
    struct.pack_into("<I", data, 4096 + subkeys, 0xFFFFFFFF)
    broken = Hive(bytes(data))
    with pytest.raises(FormatError, match="count"):
        broken.create_key("new")
    assert broken.to_bytes() == bytes(data)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 100, 0xFFFFFFFF])
def test_a_wrong_count_of_references_never_frees_what_others_have(count: int) -> None:
    """Of four keys with one descriptor, two go; then a new one comes, and all below the root goes."""
    hive = Hive.create("SYSTEM")
    for name in ("a\\b", "c"):
        hive.create_key(name)
    cell = hive.root.node.security
    descriptor = hive.root.security_descriptor
    data = bytearray(hive.to_bytes())
    struct.pack_into("<I", data, 4096 + 4 + cell + 12, count)
    odd = Hive(bytes(data))
    odd.delete_key("a", recursive=True)
    odd.create_key("d")
    assert odd.key("d").security_descriptor == odd.key("c").security_descriptor == descriptor
    assert not [problem for problem in odd.check() if problem.weight > Weight.NOTE]
    for name in "cd":
        odd.delete_key(name)
    assert odd.root.security_descriptor == descriptor
    if count < 3:
        assert security.read(odd.cells, cell).references == 1, "a count that ran out is mended"


def test_space_is_taken_where_it_is_free_before_the_hive_grows() -> None:
    hive = Hive.create("SYSTEM")
    hive.create_key("a")
    hive.set_value("a", "first", ValueType.BINARY, bytes(3000))
    hive.delete_value("a", "first")
    size = len(hive.to_bytes())
    hive.set_value("a", "second", ValueType.BINARY, bytes(3000))
    assert len(hive.to_bytes()) == size
    hive.set_value("a", "third", ValueType.BINARY, bytes(3000))
    assert len(hive.to_bytes()) == size + 4096
    assert hive.changed_ranges() == [(0, size + 4096)]
    assert hive.check() == []


def test_of_two_values_with_one_name_the_second_is_found_when_the_first_is_gone() -> None:
    hive = Hive.create("SYSTEM")
    hive.set_value("", "one", ValueType.DWORD, 1)
    hive.set_value("", "two", ValueType.DWORD, 2)
    data = bytearray(hive.to_bytes())
    data = data.replace(b"two", b"ONE")
    again = Hive(bytes(data))
    assert again.root.value("one").data == 1
    again.delete_value("", "One")
    assert again.root.value("one").data == 2
    again.delete_value("", "one")
    assert again.root.values() == []


def test_values_are_found_where_they_lie_after_other_keys_were_edited_renamed_and_removed() -> None:
    hive = Hive.create("SYSTEM")
    for key in ("a", "b"):
        hive.create_key(key)
        hive.set_value(key, "name", ValueType.SZ, key)
    assert hive.key("a").value("name").data == "a"
    hive.rename_key("a", "a key with a much longer name")
    hive.create_key("c")  # where a was
    with pytest.raises(ValueNotFound):
        hive.key("c").value("name")
    hive.delete_key("b")
    hive.create_key("b")
    hive.set_value("b", "other", ValueType.SZ, "b")
    with pytest.raises(ValueNotFound):
        hive.key("b").value("name")
    with pytest.raises(UsageError):
        hive.set_value("b", "n" * 20_000, ValueType.SZ, "b")
    assert hive.key("b").value("OTHER").data == "b"
    assert hive.key("a key with a much longer name").value("name").data == "a"
    assert hive.check() == []


def test_a_path_that_was_asked_for_before_leads_where_it_leads_after_an_edit() -> None:
    hive = Hive.create("SYSTEM", clock=at_noon)
    for path in ("one\\below", "two\\below"):
        hive.create_key(path)
        hive.set_value(path, "name", ValueType.SZ, path)
    kept = hive.open_key("one\\below")

    hive.set_value("one\\below", "more", ValueType.DWORD, 1)
    assert (hive.open_key("one\\below").value("more").data, kept.value("more").data) == (1, 1)
    hive.rename_key("one", "three")
    with pytest.raises(KeyNotFound):
        hive.open_key("one\\below")
    hive.rename_key("two", "one")
    assert hive.value("one\\below", "name").data == "two\\below"
    hive.delete_key("one", recursive=True)
    with pytest.raises(KeyNotFound):
        hive.key("one\\below")


def test_a_key_that_became_a_link_is_followed_though_it_was_asked_for_before() -> None:
    hive = Hive.create("SYSTEM", clock=at_noon)
    hive = Hive(hive.to_bytes(), mount=mount_of("Windows\\System32\\config\\SYSTEM", b""), clock=at_noon)
    for path in ("aim", "other", "bare"):
        hive.create_key(path)
    for path in ("aim", "other"):
        hive.set_value(path, "name", ValueType.SZ, path)
    assert hive.open_key("bare").path == "bare"

    hive.set_value("bare", LINK_VALUE, ValueType.LINK, "\\Registry\\Machine\\System\\aim")
    assert hive.open_key("bare").path == "aim"
    hive.set_value("bare", LINK_VALUE, ValueType.LINK, "\\Registry\\Machine\\System\\other")
    assert hive.value("bare", "name").data == "other"
