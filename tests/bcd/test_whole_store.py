"""Whole stores are made, exported and imported; hivexregedit reads the trees that are compared."""

from __future__ import annotations

import pytest

from bcd.stores import LOADER, edited, judged, recipe, store_of, uefi_hive
from support.real_data import sdist_file
from vmrescue.bcd import Store
from vmrescue.bcd.hive_key import HiveKey
from vmrescue.bcd.whole_store import empty_store, exported, imported
from vmrescue.commands.bcdedit import parse, run
from vmrescue.errors import NotFoundError
from vmrescue.registry import Hive


def root(hive: bytes) -> HiveKey:
    return HiveKey.root(Hive(hive))


def new_hive() -> bytes:
    return Hive.create("BCD").to_bytes()


def objects_of(hive: bytes) -> dict[str, dict[str, str]]:
    return {path: values for path, values in judged(hive).items() if path.startswith("Objects")}


def test_an_empty_store_is_a_store_without_objects() -> None:
    hive = edited(new_hive(), empty_store())

    assert store_of(hive).objects() == []
    assert set(judged(hive)) == {"", "Description", "Objects"}


def test_entries_can_be_made_in_a_new_store() -> None:
    hive = edited(new_hive(), empty_store())
    for words in (["/create", "{bootmgr}"], ["/set", "{bootmgr}", "timeout", "30"]):
        hive = edited(hive, run(parse(words), store_of(hive)).operations)

    assert store_of(hive).boot_manager.element("timeout").value == 30  # type: ignore[union-attr]


@pytest.mark.parametrize("source", ["real", "recipe"])
def test_an_export_has_all_keys_and_values_of_the_store(source: str) -> None:
    hive = uefi_hive() if source == "real" else recipe(1)

    copy = edited(new_hive(), exported(root(hive)))

    assert judged(copy) == judged(hive)


def test_an_import_makes_the_objects_those_of_the_export_again_and_changes_only_what_differs() -> None:
    exported_store = edited(new_hive(), exported(root(recipe(1))))
    store = recipe(1)
    for line in (f"/delete {{{LOADER}}}", "/timeout 99", "/create /inherit", "/deletevalue {badmemory} badmemorylist"):
        store = edited(store, run(parse(line.split()), store_of(store)).operations)
    assert objects_of(store) != objects_of(recipe(1))

    edits = imported(root(store), root(exported_store))

    assert objects_of(edited(store, edits)) == objects_of(recipe(1))
    assert imported(root(recipe(1)), root(exported_store)) == []


def test_an_import_over_a_store_of_another_machine_keeps_its_own_description() -> None:
    store = edited(new_hive(), empty_store())

    hive = edited(store, imported(root(store), root(recipe(2))))

    assert objects_of(hive) == objects_of(recipe(2))
    assert judged(hive)["Description"] == judged(store)["Description"]


def test_a_hive_that_is_no_store_cannot_be_imported() -> None:
    system = sdist_file("dissect.regf", "tests/_data/SYSTEM.gz")

    with pytest.raises(NotFoundError, match="no key Objects"):
        imported(root(recipe(1)), root(system))
    with pytest.raises(NotFoundError, match="no key Objects"):
        Store(root(system))
