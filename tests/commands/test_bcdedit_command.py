"""bcdedit on an image and on a store's file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bcd.stores import recipe
from commands.here import output_of, vmrescue
from support.images import fingerprint
from support.machine import run
from vmrescue.registry import Hive

if TYPE_CHECKING:
    from pathlib import Path

LOADER = "{0f6f5a2e-3c1d-11ef-9a77-00155d3a2b01}"
UNKNOWN_ELEMENT = "The element data type specified is not recognized, or does not apply to the\nspecified entry.\n"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "BCD"
    path.write_bytes(recipe(1))
    return path


def test_partitions_are_shown_by_the_guests_letters_or_the_numbers_of_its_volumes(gen2_broken: Path) -> None:
    printed = output_of("bcdedit", gen2_broken)

    manager, loader = printed.split("Windows Boot Loader\n")
    assert "device                  partition=\\Device\\HarddiskVolume1\n" in manager
    assert "osdevice                partition=C:\n" in loader
    assert f"identifier              {LOADER}\n" in output_of("bcdedit", gen2_broken, "/enum", "osloader", "/v")


def test_a_store_by_itself_knows_no_volumes(store: Path) -> None:
    assert "osdevice                unknown\n" in output_of("bcdedit", store, "/enum", "{default}")


def test_store_names_a_file_of_the_image_by_a_letter_of_whichever_machine(gen1_broken: Path) -> None:
    listed = output_of("bcdedit", gen1_broken)

    for path in (r"\Device\HarddiskVolume1\Boot\BCD", r"\device\harddiskvolume1\boot\bcd"):
        assert vmrescue("bcdedit", gen1_broken, "/store", path) == (0, listed, "")
    done = vmrescue("bcdedit", gen1_broken, "/store", r"F:boot\bcd")
    assert (done.status, done.out) == (0, listed)
    assert done.err == (
        "note: F: is no letter of this Windows: F:boot\\bcd is taken for \\Boot\\BCD on partition 1, "
        "the only such file\n"
    )


def test_a_store_whose_place_is_not_clear_is_refused(gen1_broken: Path, tmp_path: Path) -> None:
    (tmp_path / "twice").write_bytes(b"regf")
    for number in (1, 2):
        output_of("put", f"{gen1_broken}:{number}", tmp_path / "twice", "twice", "--yes")

    for path, status, message in (
        (r"F:\no\bcd", 3, r"none of the volumes at hand has a file \no\bcd"),
        (r"C:\boot\bcd", 3, r"no such file on partition 2 (C:); \boot\bcd is on partition 1"),
        (r"D:\boot\bcd", 3, "to this Windows D: is an MBR disk that is not at hand"),
        (r"F:\twice", 4, r"there is a file \twice on partition 1 and partition 2 (C:)"),
        (r"\Device\HarddiskVolume3\boot\bcd", 3, "there is no volume 3; there are 2"),
        (r"boot\bcd", 3, "names no volume"),
    ):
        done = vmrescue("bcdedit", gen1_broken, "/store", path, "/enum")
        assert (done.status, done.out, message in done.err) == (status, "", True), done.err


def test_a_letter_is_written_as_the_partition_that_it_means(gen2_broken: Path) -> None:
    before = json.loads(output_of("bcdedit", gen2_broken, "/enum", "{default}", "--format", "json"))

    output_of("bcdedit", gen2_broken, "/set", "{default}", "device", "boot", "--yes")
    assert "device                  boot\n" in output_of("bcdedit", gen2_broken, "/enum", LOADER)
    output_of("bcdedit", gen2_broken, "/set", "{default}", "device", "partition=c:", "--yes")

    assert json.loads(output_of("bcdedit", gen2_broken, "/enum", "{default}", "--format", "json")) == before


def test_json_has_each_element_by_id_name_and_value(store: Path) -> None:
    (entry,) = json.loads(output_of("bcdedit", store, "/enum", "{badmemory}", "--format", "json"))

    assert entry["alias"] == "badmemory"
    (element,) = entry["elements"]
    assert (element["id"], element["name"], element["value"]) == ("0x1700000a", "badmemorylist", [0xFFE38, 0x100F])


def test_current_is_the_default_entry_and_a_note_says_so(store: Path) -> None:
    done = vmrescue("bcdedit", store, "/enum", "{current}")

    assert "identifier              {default}\n" in done.out
    assert done.err.startswith("note: {current} is the default entry")


def test_a_written_store_is_undone_byte_for_byte(store: Path) -> None:
    before = fingerprint(store)

    printed = output_of("bcdedit", store, "/deletevalue", "{badmemory}", "badmemorylist", "--yes")
    assert printed.endswith("The operation completed successfully.\n")
    assert "badmemorylist" not in output_of("bcdedit", store, "/enum", "{badmemory}")
    output_of("undo", store)

    assert fingerprint(store) == before


def test_it_asks_nothing_as_on_windows_and_a_dry_run_writes_nothing(store: Path) -> None:
    before = fingerprint(store)

    printed = output_of("bcdedit", store, "/timeout", "5", "--dry-run")
    assert "after   REG_BINARY 05 00 00 00 00 00 00 00\n" in printed
    assert "The operation completed" not in printed
    assert fingerprint(store) == before

    assert "The operation completed" in output_of("bcdedit", store, "/timeout", "5")
    assert "timeout                 5\n" in output_of("bcdedit", store, "/enum", "{bootmgr}")
    output_of("undo", store)
    assert fingerprint(store) == before


def test_a_minus_is_as_good_as_a_slash(store: Path) -> None:
    output_of("bcdedit", store, "-set", "{default}", "nx", "AlwaysOff", "--yes")

    assert "nx                      AlwaysOff\n" in output_of("bcdedit", store, "-enum", "{default}")


def test_our_own_options_stand_before_or_behind(store: Path) -> None:
    def changes(*words: object) -> str:
        """What would be changed; which bytes that takes depends on the time stamp too."""
        return output_of("bcdedit", *words).partition(" bytes in ")[0].rpartition("\n")[0]

    shown = changes("--dry-run", store, "/timeout", "5")

    assert "25000004" in shown
    assert changes(store, "/timeout", "5", "--dry-run") == shown
    assert output_of("bcdedit", "--quiet", store, "/timeout", "5", "-y") == ""


def test_a_store_that_leads_to_no_windows_is_mended(gen2_broken: Path) -> None:
    disk, store = gen2_broken.with_suffix(".raw"), gen2_broken.with_name("BCD")
    output_of("bcdedit", gen2_broken, "/export", store)
    output_of("bcdedit", store, "/set", "{default}", "osdevice", "boot", "--yes")
    run("qemu-img", "convert", "-O", "raw", gen2_broken, disk)
    run("mcopy", "-o", "-i", f"{disk}@@{1 << 20}", store, "::/EFI/Microsoft/Boot/BCD")
    assert "names \\Windows on partition 1, where no Windows is" in vmrescue("diagnose", disk).out

    assert "osdevice                boot\n" in output_of("bcdedit", disk)
    output_of("bcdedit", disk, "/set", "{default}", "osdevice", r"partition=\Device\HarddiskVolume3", "--yes")

    assert "missing-part" not in vmrescue("diagnose", disk).out
    assert "osdevice                partition=C:\n" in output_of("bcdedit", disk)


def test_a_new_key_of_the_debugger_is_printed_and_stored(store: Path) -> None:
    printed = output_of("bcdedit", store, "/dbgsettings", "NET", "HOSTIP:10.0.0.1", "PORT:50001", "newkey", "--yes")

    (key,) = (line.removeprefix("Key=") for line in printed.splitlines() if line.startswith("Key="))
    assert f"key                     {key}\n" in output_of("bcdedit", store, "/dbgsettings")


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["/set", "{bootmgr}", "nx", "OptIn"], 2, UNKNOWN_ELEMENT),
        (["/set", "{default}", "nosuch", "1"], 2, UNKNOWN_ELEMENT),
        (["/set", "{default}", "numproc", "many"], 2, "The integer data is not valid as specified.\n"),
        (["/set", "{12345678-1234-1234-1234-123456789abc}", "nx", "OptIn"], 1, "The system cannot find the file"),
        (["/enum", "{nonsense}"], 2, "The entry identifier {nonsense} is not valid.\n"),
        (["/frobnicate"], 2, "An unknown command was specified.\n"),
        (["/set", "{default}", "osdevice", "partition=C:"], 3, "The system cannot find the file specified.\n"),
        (["/store", r"C:\Boot\BCD", "/enum"], 2, "this is a store's file itself"),
        (["/import", "/no/such/file"], 3, "there is no file /no/such/file"),
        (["/export", "/no/such/folder/BCD"], 5, "cannot write"),
    ],
)
def test_what_bcdedit_refuses_is_refused_in_its_words_and_nothing_is_written(
    store: Path, words: list[str], status: int, message: str
) -> None:
    before = fingerprint(store)

    done = vmrescue("bcdedit", store, *words, "--yes")

    assert (done.status, done.out) == (status, "")
    assert message in done.err
    assert "Traceback" not in done.err
    assert fingerprint(store) == before
    assert list(store.parent.iterdir()) == [store]


def test_a_hive_that_is_no_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "SYSTEM"
    path.write_bytes(Hive.create("SYSTEM").to_bytes())

    assert "not a BCD store" in vmrescue("bcdedit", path).err
    path.write_bytes(b"regf")
    assert vmrescue("bcdedit", path).status == 3


def test_an_interrupted_edit_does_not_show(store: Path) -> None:
    """The journal says that the store was being written to: what is read is the store as it was before."""
    listed = output_of("bcdedit", store, "/enum", "{bootmgr}")
    output_of("bcdedit", store, "/timeout", "5", "--yes")
    journal = store.with_name("BCD.vmrescue") / "0001.done"
    journal.rename(journal.with_suffix(".hot"))

    assert output_of("bcdedit", store, "/enum", "{bootmgr}") == listed
    output_of("bcdedit", store, "/timeout", "7", "--yes")
    assert "timeout                 7\n" in output_of("bcdedit", store, "/enum", "{bootmgr}")


def begun(store: bytes) -> bytes:
    """The store as a write that never ended has left it."""
    data = bytearray(store)
    data[4] ^= 1
    data[508] ^= 1
    return bytes(data)


def test_a_dirty_store_without_logs_is_read_with_a_note_and_not_edited(store: Path) -> None:
    text = output_of("bcdedit", store, "/enum", "all")
    store.write_bytes(begun(store.read_bytes()))
    before = fingerprint(store)

    asked = vmrescue("bcdedit", store, "/enum", "all")
    refused = vmrescue("bcdedit", store, "/timeout", "7", "--yes")

    assert asked.out == text
    assert f"note: the store {store} is dirty" in asked.err
    assert refused.status == 4
    assert f"the hive \\{store.name} on this machine is dirty" in refused.err
    assert fingerprint(store) == before
