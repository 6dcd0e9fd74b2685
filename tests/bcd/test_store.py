"""A store, read from its hive through dissect.regf."""

from __future__ import annotations

from uuid import UUID

import pytest

from registry.samples import hive_with_everything
from support.dissect_hive import DissectKey, dissect_root
from support.real_data import corpus
from vmrescue.bcd import Partition, Store, Style
from vmrescue.bcd.device import RamDisk
from vmrescue.errors import NotFoundError

WINDOWS_10 = UUID("733b62e5-f608-11eb-825c-c112f60133ab")
RECOVERY = UUID("733b62e6-f608-11eb-825c-c112f60133ab")


@pytest.fixture(scope="module")
def uefi_store() -> Store:
    return Store(dissect_root(corpus("hives/BCD-uefi")))


def test_the_objects_of_a_real_store_have_their_types_and_aliases(uefi_store: Store) -> None:
    titles = [f"{each.identifier} {each.title}" for each in uefi_store.objects()]

    assert len(titles) == 17
    assert "{bootmgr} Windows Boot Manager" in titles
    assert "{resumeloadersettings} Resume Loader Settings" in titles
    assert "{733b62e2-f608-11eb-825c-c112f60133ab} Firmware Application (101fffff)" in titles


def test_the_default_entry_is_the_one_that_the_boot_manager_names(uefi_store: Store) -> None:
    assert uefi_store.default_loader().guid == WINDOWS_10
    assert uefi_store.object("{default}").guid == WINDOWS_10
    assert uefi_store.object("{CURRENT}").guid == WINDOWS_10


def test_an_object_is_found_by_alias_and_by_guid_in_any_case_and_with_or_without_braces(uefi_store: Store) -> None:
    found = {
        uefi_store.object(name).guid
        for name in ("{bootmgr}", "BootMgr", "{9DEA862C-5CDD-4E70-ACC1-F32B344D4795}", uefi_store.boot_manager.guid)
    }

    assert found == {UUID("9dea862c-5cdd-4e70-acc1-f32b344d4795")}


def test_an_object_that_is_not_there_is_named_in_the_error(uefi_store: Store) -> None:
    with pytest.raises(NotFoundError, match="ntldr"):
        uefi_store.object("{ntldr}")


def test_the_elements_of_a_loader_have_names_and_values(uefi_store: Store) -> None:
    loader = uefi_store.object(str(WINDOWS_10))

    assert [element.name for element in loader.elements()] == [
        *("device", "path", "description", "locale", "inherit", "recoverysequence", "displaymessageoverride"),
        *("recoveryenabled", "isolatedcontext", "allowedinmemorysettings", "osdevice", "systemroot"),
        *("resumeobject", "nx", "bootmenupolicy"),
    ]
    values = {element.name: element.value for element in loader.elements()}
    assert values["path"] == r"\Windows\system32\winload.efi"
    assert values["recoverysequence"] == (RECOVERY,)
    assert values["allowedinmemorysettings"] == (0x15000075,)
    assert (values["isolatedcontext"], values["nx"]) == (True, 0)


def test_the_same_id_has_another_name_in_another_object(uefi_store: Store) -> None:
    resume = uefi_store.object("733b62e4-f608-11eb-825c-c112f60133ab")
    loader = uefi_store.object(str(WINDOWS_10))

    systemroot, hibernation_file = loader.element(0x22000002), resume.element(0x22000002)

    assert systemroot is not None
    assert hibernation_file is not None
    assert (systemroot.name, systemroot.value) == ("systemroot", r"\Windows")
    assert (hibernation_file.name, hibernation_file.value) == ("filepath", r"\hiberfil.sys")


def test_a_partition_device_says_which_disk_and_partition(uefi_store: Store) -> None:
    element = uefi_store.default_loader().element("osdevice")

    assert element is not None
    assert getattr(element.value, "target", None) == Partition(
        Style.GPT, UUID("0b2394a9-095e-487d-8d48-719ecd4d78ca"), UUID("8e0f2c38-e4ea-47ba-b7fc-9d8c74dccf0b")
    )


def test_a_ram_disk_says_its_file_and_its_options(uefi_store: Store) -> None:
    element = uefi_store.object(RECOVERY).element("device")

    assert element is not None
    device = element.value
    assert isinstance(getattr(device, "target", None), RamDisk)
    assert str(device).endswith(r"\Recovery\WindowsRE\Winre.wim,{733b62e7-f608-11eb-825c-c112f60133ab}")


def test_an_element_that_bcdedit_has_no_name_for_is_called_by_its_id(uefi_store: Store) -> None:
    element = uefi_store.object(RECOVERY).element(0x46000010)

    assert element is not None
    assert (element.name, element.value) == ("custom:46000010", True)


def test_a_loader_inherits_through_its_settings_what_it_does_not_say_itself(uefi_store: Store) -> None:
    loader = uefi_store.default_loader()

    assert [each.alias for each in loader.ancestors()] == [
        *("bootloadersettings", "globalsettings", "dbgsettings", "emssettings", "badmemory", "hypervisorsettings"),
    ]
    assert loader.element("bootems") is None
    inherited = loader.inherited("bootems")
    assert inherited is not None
    assert (inherited.value, inherited.object.alias) == (False, "emssettings")
    own = loader.inherited("nx")
    assert own is not None
    assert own.object is loader


def test_a_hive_that_is_not_a_store_is_refused_with_the_key_that_it_lacks() -> None:
    with pytest.raises(NotFoundError, match="no key Objects"):
        Store(dissect_root(hive_with_everything(5).to_bytes()))


def test_dissect_reads_a_key_as_a_store_wants_it() -> None:
    root = dissect_root(corpus("hives/BCD-uefi"))

    assert root.subkey("nothing") is None
    assert root.value("nothing") is None
    description = root.subkey("description")
    assert isinstance(description, DissectKey)
    assert description.value("System") == (4, b"\1\0\0\0")
