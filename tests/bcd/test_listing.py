"""``/enum`` compared with golden files; notes in them give the source of each form."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from bcd.stores import LOADER, RecipeVolumes, edited, recipe, store_of, uefi_hive
from vmrescue.bcd.edits import element_path
from vmrescue.commands.bcdedit import NoVolumes, Outcome, Volumes, parse, run
from vmrescue.errors import NotFoundError, UsageError
from vmrescue.registry.operations import SetValue

GOLDEN = Path(__file__).parent / "golden"


def golden(name: str) -> str:
    lines = (GOLDEN / f"{name}.txt").read_text().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("# "))


def bcdedit(hive: bytes, *words: str, volumes: Volumes | None = None) -> Outcome:
    return run(parse(words), store_of(hive), volumes)


def titles(outcome: Outcome) -> list[str]:
    lines = outcome.text.splitlines()
    return [title for title, dashes in itertools.pairwise(lines) if dashes and set(dashes) == {"-"}]


def test_a_real_uefi_store_is_listed_as_bcdedit_lists_it() -> None:
    assert bcdedit(uefi_hive(), "/enum", "all", "/v").text == golden("BCD-uefi-enum-all-v")


@pytest.mark.parametrize("generation", [1, 2])
def test_a_store_of_either_generation_is_listed_in_full(generation: int) -> None:
    outcome = bcdedit(recipe(generation), "/enum", "all", "/v", volumes=RecipeVolumes(generation))

    assert outcome.text == golden(f"generation-{generation}-enum-all-v")


def test_the_active_entries_are_the_boot_manager_and_what_it_displays_with_well_known_names() -> None:
    outcome = bcdedit(recipe(2), "/enum", volumes=RecipeVolumes(2))

    assert outcome.text == golden("generation-2-enum")
    assert bcdedit(recipe(2), volumes=RecipeVolumes(2)).text == outcome.text


def test_bad_memory_is_listed_as_microsoft_shows_it() -> None:
    """The example of Microsoft's "Clearing the current list of PFNs"."""
    assert bcdedit(recipe(1), "/enum", "{badmemory}").text == (
        "\n"
        "RAM Defects\n"
        "-----------\n"
        "identifier              {badmemory}\n"
        "badmemorylist           0xffe38\n"
        "                        0x100f\n"
    )


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("firmware", ["Firmware Boot Manager", "Windows Boot Manager", *["Firmware Application (101fffff)"] * 3]),
        ("bootmgr", ["Windows Boot Manager"]),
        ("OSLOADER", ["Windows Boot Loader"] * 2),
        ("resume", ["Resume from Hibernate"]),
        ("bootapp", [*["Windows Boot Loader"] * 2, "Resume from Hibernate", "Windows Memory Tester"]),
        (
            "inherit",
            [
                *("EMS Settings", "Debugger Settings", "RAM Defects", "Global Settings", "Boot Loader Settings"),
                *("Hypervisor Settings", "Resume Loader Settings"),
            ],
        ),
    ],
)
def test_a_type_of_entry_selects_its_entries(what: str, expected: list[str]) -> None:
    assert titles(bcdedit(uefi_hive(), "/enum", what)) == expected


def test_what_setup_leaves_behind_is_shown_with_v_only() -> None:
    assert "OS Target Template" in titles(bcdedit(recipe(1), "/enum", "all", "/v"))
    assert "OS Target Template" not in titles(bcdedit(recipe(1), "/enum", "all"))
    assert "custom:46000010" not in bcdedit(recipe(1), "/enum", "all").text


def test_current_is_the_default_entry_and_a_note_says_so() -> None:
    outcome = bcdedit(recipe(1), "/enum", "{current}")

    assert "identifier              {default}" in outcome.text
    assert outcome.notes == (f"{{current}} is the default entry, {{{LOADER}}}: no Windows is running",)
    assert bcdedit(recipe(1), "/enum", "{default}").notes == ()


def test_an_unknown_type_of_entry_is_refused_as_bcdedit_refuses_it() -> None:
    with pytest.raises(UsageError, match="The specified entry type is invalid"):
        bcdedit(recipe(1), "/enum", "current")


@pytest.mark.parametrize("what", ["{ntldr}", "{99999999-0000-0000-0000-000000000000}", "firmware"])
def test_nothing_to_list_is_said_as_bcdedit_says_it(what: str) -> None:
    hive = recipe(1)
    if what == "firmware":
        manager = "{9dea862c-5cdd-4e70-acc1-f32b344d4795}"
        hive = edited(hive, [SetValue(f"Objects\\{manager}\\Description", "Type", 4, bytes(4))])
    with pytest.raises(NotFoundError, match="There are no matching objects or the store is empty"):
        bcdedit(hive, "/enum", what)


def test_a_value_too_great_for_its_names_is_shown_as_a_number() -> None:
    hive = edited(recipe(1), [SetValue(element_path(LOADER, 0x25000020), "Element", 3, (77).to_bytes(8, "little"))])

    assert "nx                      77\n" in bcdedit(hive, "/enum", "{default}").text


def test_debugger_settings_are_listed_without_a_title() -> None:
    assert bcdedit(recipe(1), "/dbgsettings").text == (
        "key                     1.2.3.4\n"
        "debugtype               NET\n"
        "hostip                  192.168.0.1\n"
        "port                    50000\n"
        "dhcp                    Yes\n"
        "The operation completed successfully.\n"
    )


def test_the_data_of_a_listing_has_every_element_with_its_id_value_and_text() -> None:
    outcome = bcdedit(recipe(2), "/enum", "{default}", volumes=RecipeVolumes(2))

    assert outcome.data == json.loads(json.dumps(outcome.data))
    assert outcome.data is not None
    (entry,) = outcome.data
    assert (entry["identifier"], entry["title"], entry["type"]) == (
        f"{{{LOADER}}}",
        "Windows Boot Loader",
        "0x10200003",
    )
    elements = {element["name"]: element for element in entry["elements"]}
    assert elements["nx"] == {"id": "0x25000020", "name": "nx", "format": "integer", "value": 1, "text": ["OptOut"]}
    device = elements["osdevice"]
    assert device["text"] == ["partition=C:"]
    assert device["value"]["kind"] == "partition"
    assert device["value"]["partition"] == "{00000000-0000-0000-0000-00000000000c}"


def test_a_bare_store_says_in_its_data_which_partition_an_unknown_device_is() -> None:
    outcome = run(parse(["/enum", "{bootmgr}"]), store_of(recipe(1)), NoVolumes())

    assert outcome.data is not None
    device = next(element for element in outcome.data[0]["elements"] if element["name"] == "device")
    assert device["text"] == ["unknown"]
    assert (device["value"]["disk"], device["value"]["partition"]) == (0xB0075167, 0x100000)
