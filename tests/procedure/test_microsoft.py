"""bcdedit and reg from Python: what the commands of these names answer, as values; what they edit, as one plan."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import vmrescue
from support.command import output_of
from support.images import fingerprint, sample
from vmrescue.plan import RegistryData

if TYPE_CHECKING:
    from pathlib import Path

DUMP = r"HKLM\SYSTEM\CurrentControlSet\Control\CrashControl"


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image that is only read here."""
    return sample("gen2-broken", tmp_path_factory.mktemp("image"))


def test_a_listing_of_bcdedit_is_what_the_command_prints_and_lists(looked_at: Path) -> None:
    answer = vmrescue.bcdedit(looked_at, ["/enum", "all"])
    assert answer.text == output_of("bcdedit", looked_at, "/enum", "all")
    printed = json.loads(output_of("bcdedit", looked_at, "/enum", "all", "--format", "json"))
    assert [entry.to_dict() for entry in answer.entries] == printed
    assert (answer.receipt, answer.file) == (None, None)


def test_what_reg_finds_has_types(looked_at: Path) -> None:
    [key] = vmrescue.reg(looked_at, ["query", r"HKLM\SYSTEM\Select"]).keys
    assert key.to_dict() == json.loads(output_of("reg", looked_at, "query", key.key, "--format", "json"))[0]
    values = {value.name: value.data for value in key.values}
    assert values["Current"] == RegistryData.dword(1)


def test_a_comparison_says_which_key_has_what(looked_at: Path) -> None:
    words = ["compare", r"HKLM\SYSTEM\Select", r"HKLM\SYSTEM\Setup"]
    answer = vmrescue.reg(looked_at, words)
    printed = json.loads(output_of("reg", looked_at, *words, "--format", "json", status=1))
    assert not answer.passed
    assert [each.to_dict() for each in answer.compared] == printed
    assert {(each["side"], each["value"]["name"]) for each in printed} >= {("<", "Current"), (">", "SetupType")}


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("bcdedit", ["/set", "{default}", "recoveryenabled", "No"]),
        ("reg", ["add", DUMP, "/v", "NMICrashDump", "/t", "REG_DWORD", "/d", "1", "/f"]),
    ],
)
def test_an_edit_is_the_plan_of_the_command_and_is_taken_back(
    gen2_broken: Path, program: str, words: list[str]
) -> None:
    before = fingerprint(gen2_broken)
    edit = getattr(vmrescue, program)
    tried = edit(gen2_broken, words, dry_run=True).receipt
    shown = json.loads(output_of(program, gen2_broken, *words, "--dry-run", "--format", "json"))
    assert tried.to_dict()["plan"] == shown["plan"]
    assert not tried.committed
    assert fingerprint(gen2_broken) == before

    answer = edit(gen2_broken, words)
    assert answer.text.endswith("The operation completed successfully.\n")
    assert answer.receipt.committed
    assert fingerprint(gen2_broken) != before
    vmrescue.undo(gen2_broken)
    assert fingerprint(gen2_broken) == before


def test_the_image_may_stay_as_it_is_and_a_copy_be_edited(gen2_broken: Path, tmp_path: Path) -> None:
    before, copy = fingerprint(gen2_broken), tmp_path / "copy.vhd"
    vmrescue.reg(gen2_broken, ["add", DUMP, "/v", "NMICrashDump", "/t", "REG_DWORD", "/d", "1"], copy_to=copy)
    assert fingerprint(gen2_broken) == before
    [key] = vmrescue.reg(copy, ["query", DUMP, "/v", "NMICrashDump"]).keys
    assert key.to_dict()["values"] == [{"name": "NMICrashDump", "type": "REG_DWORD", "data": 1}]


def test_files_are_written_and_replaced_only_on_request(looked_at: Path, tmp_path: Path) -> None:
    store, exported = tmp_path / "store.bcd", tmp_path / "select.reg"
    assert vmrescue.bcdedit(looked_at, ["/export", str(store)]).file == store
    assert vmrescue.bcdedit(store).entries[0].alias == "bootmgr"
    words = ["export", r"HKLM\SYSTEM\Select", str(exported)]
    assert vmrescue.reg(looked_at, words).file == exported
    with pytest.raises(vmrescue.RefusedError, match="is there already"):
        vmrescue.reg(looked_at, words)
    assert vmrescue.reg(looked_at, words, overwrite=True).file == exported
    assert vmrescue.reg(looked_at, [*words, "/y"]).file == exported
    assert vmrescue.bcdedit(None, ["/createstore", str(tmp_path / "new.bcd")]).file == tmp_path / "new.bcd"


def test_a_store_is_not_exported_over_itself_nor_over_an_image(gen2_broken: Path, tmp_path: Path) -> None:
    store = tmp_path / "store.bcd"
    vmrescue.bcdedit(gen2_broken, ["/export", str(store)])
    for image, target in ((store, store), (gen2_broken, gen2_broken)):
        before = fingerprint(target)
        with pytest.raises(vmrescue.RefusedError, match="is not overwritten"):
            vmrescue.bcdedit(image, ["/export", str(target)], overwrite=True)
        assert fingerprint(target) == before


def test_a_dry_run_writes_no_file_and_no_name(looked_at: Path, tmp_path: Path) -> None:
    before = sorted(looked_at.parent.iterdir())
    assert vmrescue.bcdedit(looked_at, ["/export", str(tmp_path / "store.bcd")], dry_run=True).file is None
    vmrescue.reg(looked_at, ["load", r"HKLM\X", r"C:\Windows\System32\config\SYSTEM"], dry_run=True)
    assert sorted(looked_at.parent.iterdir()) == before
    assert list(tmp_path.iterdir()) == []


def test_a_name_is_given_and_taken_back(gen2_broken: Path) -> None:
    vmrescue.reg(gen2_broken, ["load", r"HKLM\X", r"C:\Windows\System32\config\SYSTEM"])
    [key] = vmrescue.reg(gen2_broken, ["query", r"HKLM\X\Select", "/v", "Current"]).keys
    assert key.to_dict()["key"] == r"HKEY_LOCAL_MACHINE\X\Select"
    vmrescue.reg(gen2_broken, ["unload", r"HKLM\X"])
    with pytest.raises(vmrescue.NotFoundError):
        vmrescue.reg(gen2_broken, ["query", r"HKLM\X\Select"])


def test_what_microsofts_program_refuses_is_an_error_in_its_words(looked_at: Path) -> None:
    with pytest.raises(vmrescue.UsageError, match=r"^An unknown command was specified\.") as error:
        vmrescue.bcdedit(looked_at, ["/frob"])
    assert error.value.verbatim
    with pytest.raises(vmrescue.NotFoundError, match="unable to find the specified registry key"):
        vmrescue.reg(looked_at, ["query", r"HKLM\SYSTEM\Nothing"])
    with pytest.raises(vmrescue.UsageError, match="bcdedit needs an image"):
        vmrescue.bcdedit(None, ["/enum"])


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("bcdedit", ["/set", "{default}", "recoveryenabled", "No"]),
        ("reg", ["add", DUMP, "/v", "NMICrashDump", "/t", "REG_DWORD", "/d", "1", "/f"]),
    ],
)
def test_the_receipt_is_about_the_windows_that_was_said(gen2_broken: Path, program: str, words: list[str]) -> None:
    receipt = getattr(vmrescue, program)(gen2_broken, words, windows="3", dry_run=True).receipt
    assert receipt.before.windows.way == receipt.after.windows.way == "as was said"
