"""The declared tables are consistent and agree with the documentation."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from vmrescue.bcd import Format, ObjectType, element_by_id, element_by_name
from vmrescue.bcd.document import markdown
from vmrescue.bcd.elements import ELEMENTS, name_of
from vmrescue.bcd.objects import BY_ALIAS, WELL_KNOWN, Application, ObjectKind

BOOT_MANAGER, LOADER, RESUME = (ObjectType(number) for number in (0x10100002, 0x10200003, 0x10200004))
MEMORY_TESTER = ObjectType(0x10200005)
LEGACY, STARTUP, BOOT_APPLICATION = (ObjectType(number) for number in (0x10300006, 0x10400009, 0x1020000A))
ANY, LOADER_SETTINGS, DEVICE_SETTINGS = (ObjectType(number) for number in (0x20100000, 0x20200003, 0x20300000))
FIRMWARE, DEVICE = ObjectType(0x101FFFFF), ObjectType(0x30000000)

FORMAT_WORDS = {
    "Device": Format.DEVICE,
    "String": Format.STRING,
    "Object": Format.OBJECT,
    "ObjectList": Format.OBJECT_LIST,
    "Integer": Format.INTEGER,
    "Boolean": Format.BOOLEAN,
    "IntegerList": Format.INTEGER_LIST,
}
CLASSES = "Library|BootMgr|OSLoader|OsLoader|Resume|MemDiag|Device|Setup"
# Errors of Microsoft: the name says one format and the id another; Windows uses the id.
MISNAMED = {
    "BcdLibraryBoolean_AdditionalCiPolicy",
    "BcdOSLoaderBoolean_ProcessorConfigurationFlags",
    "BcdDeviceInteger_RamdiskMulticastTftpFallback",
}


def test_an_id_and_a_name_mean_one_element_in_each_scope() -> None:
    ids = Counter((element.scope, element.id) for element in ELEMENTS)
    names = Counter((element.scope, element.name) for element in ELEMENTS if element.name)

    assert [key for key, count in ids.items() if count > 1] == []
    # The memory tester's cacheenable got another id in Windows 8: the new one is written, both are read.
    assert [key[1] for key, count in names.items() if count > 1] == ["cacheenable"]


def test_every_wmi_name_agrees_with_the_format_of_its_id() -> None:
    for element in ELEMENTS:
        word = re.match(f"Bcd(?:{CLASSES})([A-Z][a-zA-Z]*)_", element.wmi)
        if word and element.wmi not in MISNAMED:
            assert FORMAT_WORDS[word[1]] is element.format, element.wmi


@pytest.mark.parametrize(
    ("object_type", "identifier", "name"),
    [
        (LOADER, 0x22000002, "systemroot"),
        (LOADER_SETTINGS, 0x22000002, "systemroot"),
        (RESUME, 0x22000002, "filepath"),
        (STARTUP, 0x22000002, "applicationname"),
        (BOOT_MANAGER, 0x23000003, "default"),
        (LOADER, 0x23000003, "resumeobject"),
        (MEMORY_TESTER, 0x25000001, "passcount"),
        (LEGACY, 0x22000001, "bpbstring"),
        (BOOT_APPLICATION, 0x26000145, "enablebootdebugpolicy"),
        (LOADER, 0x26000145, "dtrace"),
        (DEVICE, 0x31000003, "ramdisksdidevice"),
        (DEVICE_SETTINGS, 0x31000003, "ramdisksdidevice"),
        (FIRMWARE, 0x12000004, "description"),
        (FIRMWARE, 0x25000001, "custom:25000001"),
        (ANY, 0x25000020, "custom:25000020"),
        (LOADER, 0x46000010, "custom:46000010"),
        (LOADER, 0x250000C0, "custom:250000c0"),
        (ObjectType(0), 0x1700000A, "badmemorylist"),
        (ObjectType(0xFFFFFFFF), 0x25000001, "custom:25000001"),
    ],
)
def test_an_id_has_the_name_that_bcdedit_gives_it_in_that_object(
    object_type: ObjectType, identifier: int, name: str
) -> None:
    assert name_of(object_type, identifier) == name
    found = element_by_name(object_type, name.upper())
    if not name.startswith("custom:"):
        assert found is not None
        assert found is element_by_id(object_type, identifier)
        assert found.format == identifier >> 24 & 0xF
    else:
        assert found is None


def test_a_name_of_another_kind_of_object_is_unknown() -> None:
    assert element_by_name(BOOT_MANAGER, "nx") is None
    assert element_by_name(LOADER, "displayorder") is None
    assert element_by_name(LOADER, "") is None


def test_an_objects_type_says_what_it_is() -> None:
    assert (LOADER.kind, LOADER.application, LOADER.title) == (
        ObjectKind.APPLICATION,
        Application.OS_LOADER,
        "Windows Boot Loader",
    )
    assert (LOADER_SETTINGS.kind, LOADER_SETTINGS.application) == (ObjectKind.INHERIT, Application.OS_LOADER)
    assert (ANY.kind, ANY.application) == (ObjectKind.INHERIT, None)
    assert ANY.title == "Inherited Settings (20100000)"
    assert FIRMWARE.title == "Firmware Application (101fffff)"
    assert ObjectType(0).title == "Unknown (00000000)"


def test_the_well_known_objects_are_told_by_alias() -> None:
    assert set(BY_ALIAS) == {
        *("fwbootmgr", "bootmgr", "memdiag", "ntldr", "legacy", "emssettings", "dbgsettings", "eventsettings"),
        *("badmemory", "globalsettings", "bootloadersettings", "hypervisorsettings", "kerneldbgsettings"),
        *("resumeloadersettings", "ramdiskoptions"),
    }
    assert len({each.guid for each in WELL_KNOWN}) == len(WELL_KNOWN)


def test_the_page_of_the_documentation_is_the_tables() -> None:
    page = Path(__file__).parents[2] / "docs" / "bcd.md"

    assert page.read_text() == markdown(), "python -m vmrescue.bcd.document > docs/bcd.md"
