"""The values of all services in one pass are those that dissect reads one by one."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from support.real_data import corpus, sdist_file
from vmrescue.errors import FormatError
from vmrescue.readers.hive.children import Children, children
from vmrescue.readers.hive.key import HiveKey
from vmrescue.readers.hive.reader import HiveReader
from vmrescue.registry.mounts import mount_of

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = ("start", "Type", "ImagePath", "Group", "Tag")


def services(raw: bytes) -> HiveKey:
    key = HiveReader(io.BytesIO(raw), "SYSTEM", mount_of("SYSTEM", b""), HiveKey).key(["ControlSet001", "Services"])
    assert key is not None
    return key


@pytest.mark.parametrize(
    "hive",
    [lambda: corpus("hives/SYSTEM_B"), lambda: sdist_file("dissect.regf", "tests/_data/SYSTEM.gz")],
    ids=["Dell", "VMware"],
)
def test_the_services_of_a_real_hive_are_what_dissect_reads(hive: Callable[[], bytes]) -> None:
    key = services(hive())
    read = {child.name: child.values for child in children(key, NAMES)}
    wanted = {name.upper() for name in NAMES}
    asked = {
        each.name: {name.upper(): value for name, value in each.stored_values().items() if name.upper() in wanted}
        for each in key.subkeys()
    }
    assert len(asked) > 600
    assert read == asked
    scan = Children(key)
    below = {each.name for child in scan.read(()) if child.subkeys[1] for each in scan.read((), child.subkeys)}
    assert below == {each.name for child in key.subkeys() for each in child.subkeys()}
    assert {"Parameters", "StartOverride"} <= below
    overrides = {
        child.name: scan.values(each)
        for child in scan.read(())
        for each in scan.read((), child.subkeys)
        if each.name == "StartOverride"
    }
    assert overrides == {
        child.name: {name.upper(): value for name, value in each.stored_values().items()}
        for child in key.subkeys()
        for each in child.subkeys()
        if each.name == "StartOverride"
    }


def test_a_value_that_is_none_is_an_error_whatever_its_name() -> None:
    """Each value up to the last one that is wanted is looked at."""
    raw = bytearray(corpus("hives/SYSTEM_B"))
    [first] = [child for child in Children(services(bytes(raw))).read(()) if child.name == "ACPI"]
    listed = 0x1004 + first.listed[0]
    place = 0x1004 + int.from_bytes(raw[listed : listed + 4], "little")
    assert raw[place : place + 2] == b"vk"
    raw[place : place + 2] = b"xx"
    with pytest.raises(FormatError, match="key value at byte"):
        list(children(services(bytes(raw)), ("Nothing",)))


def test_a_cell_that_is_no_key_is_an_error_that_names_its_place() -> None:
    raw = bytearray(corpus("hives/SYSTEM_B"))
    [first, *_] = services(bytes(raw)).subkeys()
    at = raw.find(first.name.encode(), 0x1000) - 76
    assert raw[at : at + 2] == b"nk"
    raw[at : at + 2] = b"xx"
    with pytest.raises(FormatError, match="key node at byte"):
        list(children(services(bytes(raw)), NAMES))
