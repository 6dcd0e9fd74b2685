"""A new boot store has the same elements as the samples' recipe for the same disk."""

from __future__ import annotations

import io
import uuid

import pytest
from dissect.regf import RegistryHive

import boot_data
from boot_data import Place
from build import DISK_GUID, ESP_GUID, MIB, OS_GUID, SIGNATURE, hive_of
from registry_text import reg_text
from support.machine import need_tool
from vmrescue.bcd import Partition, Style
from vmrescue.bcd.new_store import STORE_MINOR, NewLoader, new_store
from vmrescue.registry import Hive
from vmrescue.registry.operations import make

PLACES = {
    1: (Place(SIGNATURE, MIB), Place(SIGNATURE, 33 * MIB)),
    2: (Place(DISK_GUID, ESP_GUID), Place(DISK_GUID, OS_GUID)),
}
PARTITIONS = {
    1: (Partition(Style.MBR, SIGNATURE, MIB), Partition(Style.MBR, SIGNATURE, 33 * MIB)),
    2: (Partition(Style.GPT, DISK_GUID, ESP_GUID), Partition(Style.GPT, DISK_GUID, OS_GUID)),
}
MANAGER = r"\EFI\Microsoft\Boot\bootmgfw.efi"


def values(store: bytes) -> dict[tuple[str, str], object]:
    """All values of a store, read by dissect: (key's path, name) -> value."""
    hive = RegistryHive(io.BytesIO(store))
    found: dict[tuple[str, str], object] = {}
    waiting = [("", hive.root())]
    while waiting:
        path, key = waiting.pop()
        found |= {(path.lower(), value.name): value.value for value in key.values()}
        waiting += [(f"{path}\\{each.name}", each) for each in key.subkeys()]
    return found


@pytest.mark.parametrize("generation", [1, 2])
def test_each_element_is_that_of_the_recipe(generation: int) -> None:
    uefi = generation == 2
    boot, windows = PARTITIONS[generation]
    path = f"\\Windows\\system32\\winload.{'efi' if uefi else 'exe'}"
    loader = NewLoader(uuid.UUID(boot_data.LOADER), windows, "\\Windows", path, "Windows Server 2019")
    hive = Hive.create("BCD", minor=STORE_MINOR)
    make(hive, new_store(boot, MANAGER if uefi else None, loader))

    made = values(hive.to_bytes())
    need_tool("hivexregedit")
    recipe = values(hive_of("BCD", reg_text(boot_data.boot_store(*PLACES[generation], uefi, faults=False))))

    assert not hive.check()
    assert {key: value for key, value in made.items() if recipe.get(key) != value} == {}
    objects = {key[0].split("\\")[2] for key in made if key[0].startswith("\\objects")}
    wanted = (boot_data.BOOTMGR, boot_data.LOADER, boot_data.GLOBALSETTINGS, boot_data.BOOTLOADERSETTINGS)
    assert objects == {*wanted, boot_data.BADMEMORY, boot_data.EMSSETTINGS, boot_data.DBGSETTINGS}
    elements = {key[0].rpartition("\\")[2] for key in made if boot_data.LOADER in key[0] and key[1] == "Element"}
    assert elements == {"11000001", "12000002", "12000004", "12000005", "14000006", "21000001", "22000002"}
