"""The writing commands: what they change in a store, as hivexregedit sees it afterwards."""

from __future__ import annotations

import re
from uuid import UUID

import pytest

from bcd.stores import (
    LOADER,
    RAM_DISK,
    RECOVERY,
    RESUME,
    SECOND_LOADER,
    SYSTEM,
    WINDOWS,
    RecipeVolumes,
    edited,
    element,
    judged,
    recipe,
    store_of,
)
from vmrescue.bcd import Device, objects
from vmrescue.bcd.device import Boot, File, Locate, RamDisk, Target, VirtualDisk
from vmrescue.commands.bcdedit import WHOLE_STORE, Outcome, parse, run
from vmrescue.errors import NotFoundError, UsageError, VmRescueError

NEW = UUID("66666666-3c1d-11ef-9a77-00155d3a2b01")
BOOT_MANAGER = objects.BY_ALIAS["bootmgr"].guid
EMS = objects.BY_ALIAS["emssettings"].guid
DEBUGGER = objects.BY_ALIAS["dbgsettings"].guid
HYPERVISOR = objects.BY_ALIAS["hypervisorsettings"].guid
BAD_MEMORY = objects.BY_ALIAS["badmemory"].guid
DISPLAY_ORDER = 0x24000001
ON, OFF = "hex(3):01", "hex(3):00"


def integer(*numbers: int) -> str:
    """An integer, or a list of integers, as hivexregedit writes it."""
    return "hex(3):" + b"".join(number.to_bytes(8, "little") for number in numbers).hex(",")


def guid_text(guid: UUID) -> str:
    return "hex(1):" + f"{{{guid}}}\0".encode("utf-16-le").hex(",")


def guids(*listed: UUID) -> str:
    text = "".join(f"{{{guid}}}\0" for guid in listed) + "\0"
    return f"hex(7):{text.encode('utf-16-le').hex(',')}"


def words_of(line: str) -> list[str]:
    return [quoted or plain for quoted, plain in re.findall(r'"([^"]*)"|(\S+)', line)]


def outcome_of(line: str, hive: bytes | None = None) -> Outcome:
    store = store_of(hive or recipe(1))
    return run(parse(words_of(line)), store, RecipeVolumes(1), new_guid=lambda: NEW)


def after(*lines: str) -> bytes:
    """The recipe's store after these command lines."""
    hive = recipe(1)
    for line in lines:
        hive = edited(hive, outcome_of(line, hive).operations)
    return hive


def device(hive: bytes, guid: UUID, identifier: int) -> Target:
    found = store_of(hive).object(guid).element(identifier)
    assert found is not None
    assert isinstance(found.value, Device)
    return found.value.target


def changed(hive: bytes) -> set[str]:
    """The keys in which the hive differs from the recipe's, according to hivexregedit."""
    before, now = judged(recipe(1)), judged(hive)
    return {key for key in before.keys() | now.keys() if before.get(key) != now.get(key)}


def key_of(guid: UUID, identifier: int) -> str:
    return f"Objects\\{{{guid}}}\\Elements\\{identifier:08x}"


# --- /set and /deletevalue ---


@pytest.mark.parametrize(
    ("line", "guid", "identifier", "expected"),
    [
        ("/set {default} nx AlwaysOff", LOADER, 0x25000020, integer(2)),
        ("/set {default} nx 3", LOADER, 0x25000020, integer(3)),
        ("/set nx optin", LOADER, 0x25000020, integer(0)),
        ("/set {DEFAULT} TestSigning ON", LOADER, 0x16000049, ON),
        ("/set {default} recoveryenabled no", LOADER, 0x16000009, OFF),
        ("/set {bootmgr} displaybootmenu yes", BOOT_MANAGER, 0x26000020, ON),
        ("/set {bootmgr} bootems true", BOOT_MANAGER, 0x16000020, ON),
        ("/set {default} truncatememory 0x80000000", LOADER, 0x15000007, integer(0x80000000)),
        ("/set {default} custom:250000C2 0", LOADER, 0x250000C2, integer(0)),
        ("/set {badmemory} badmemorylist 0x12 19", BAD_MEMORY, 0x1700000A, integer(0x12, 19)),
        ("/set {dbgsettings} hostip 10.0.0.5", DEBUGGER, 0x1500001A, integer(0x0A000005)),
        (f"/set {{bootmgr}} default {{{SECOND_LOADER}}}", BOOT_MANAGER, 0x23000003, guid_text(SECOND_LOADER)),
        (f"/set {{default}} recoverysequence {{{SECOND_LOADER}}}", LOADER, 0x14000008, guids(SECOND_LOADER)),
    ],
)
def test_set_writes_the_value_in_windows_form_and_nothing_else(
    line: str, guid: UUID, identifier: int, expected: str
) -> None:
    hive = after(line)

    assert changed(hive) == {key_of(guid, identifier)}
    assert element(hive, guid, identifier) == expected


def test_set_description_writes_a_string() -> None:
    hive = after('/set {default} description "A second try"')

    assert store_of(hive).default_loader().element("description").value == "A second try"  # type: ignore[union-attr]
    assert changed(hive) == {key_of(LOADER, 0x12000004)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("boot", Boot()),
        ("partition=c:", WINDOWS[1]),
        ("hd_partition=C:", WINDOWS[1]),
        (r"partition=\Device\HarddiskVolume1", SYSTEM[1]),
        ("mbr_partition=b0075167;1048576", SYSTEM[1]),
        (
            "gpt_partition={00000000-0000-0000-0000-00000000d15c};{00000000-0000-0000-0000-00000000000c}",
            WINDOWS[2],
        ),
        (r"file=[C:]\boot.wim", File(WINDOWS[1], r"\boot.wim")),
        (r"ramdisk=[boot]\boot.wim,{ramdiskoptions}", RamDisk(Boot(), r"\boot.wim")),
        (r"vhd=[C:]\w.vhdx", Locate("", 0x22000002, VirtualDisk(File(WINDOWS[1], r"\w.vhdx")))),
        (
            r"vhd=[locate]\w.vhdx,locate=custom:12000002",
            Locate("", 0x12000002, VirtualDisk(File(Locate(r"\w.vhdx", 0, None), r"\w.vhdx"))),
        ),
        (r"locate=\Windows", Locate(r"\Windows", 0, None)),
        ("locate=custom:22000002", Locate("", 0x22000002, None)),
    ],
)
def test_a_device_is_understood_as_it_is_typed(text: str, expected: Target) -> None:
    hive = after(f'/set {{default}} osdevice "{text}"')

    assert device(hive, LOADER, 0x21000001) == expected


def test_a_virtual_disk_is_searched_by_the_loaders_path_when_it_is_the_loaders_own_device() -> None:
    hive = after(r"/set {default} device vhd=[C:]\w.vhd")

    assert device(hive, LOADER, 0x11000001) == Locate("", 0x12000002, VirtualDisk(File(WINDOWS[1], r"\w.vhd")))


def test_a_ram_disk_keeps_its_options() -> None:
    hive = after(rf"/set {{default}} device ramdisk=[C:]\x.wim,{{{RAM_DISK}}}")

    found = store_of(hive).default_loader().element("device")
    assert found is not None
    assert str(found.value).endswith(rf"\x.wim,{{{RAM_DISK}}}")


def test_deletevalue_takes_the_element_away() -> None:
    hive = after("/deletevalue {badmemory} badmemorylist")

    assert changed(hive) == {key_of(BAD_MEMORY, 0x1700000A)}
    assert element(hive, BAD_MEMORY, 0x1700000A) is None


def test_current_is_taken_as_the_default_entry_where_no_entry_is_named_and_a_note_says_so() -> None:
    outcome = outcome_of("/deletevalue truncatememory")

    assert [edit.path for edit in outcome.operations] == [key_of(LOADER, 0x15000007)]
    assert outcome.notes
    assert outcome.text == "The operation completed successfully.\n"


# --- on and off, and the boot manager ---


@pytest.mark.parametrize(
    ("line", "guid", "identifier", "expected"),
    [
        ("/ems {default} ON", LOADER, 0x260000B0, ON),
        ("/ems off", LOADER, 0x260000B0, OFF),
        ("/bootems {bootmgr} on", BOOT_MANAGER, 0x16000020, ON),
        ("/debug on", LOADER, 0x260000A0, ON),
        ("/bootdebug {bootmgr} on", BOOT_MANAGER, 0x16000010, ON),
        ("/timeout 5", BOOT_MANAGER, 0x25000004, integer(5)),
    ],
)
def test_a_switch_sets_its_element(line: str, guid: UUID, identifier: int, expected: str) -> None:
    hive = after(line)

    assert changed(hive) == {key_of(guid, identifier)}
    assert element(hive, guid, identifier) == expected


def test_default_names_the_entry() -> None:
    assert store_of(after(f"/default {{{SECOND_LOADER}}}")).default_loader().guid == SECOND_LOADER


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"/displayorder {{{LOADER}}}", [LOADER]),
        (f"/displayorder {{{LOADER}}} /addfirst", [LOADER, SECOND_LOADER]),
        (f"/displayorder {{{SECOND_LOADER}}} /addlast", [LOADER, SECOND_LOADER]),
        (f"/displayorder {{{RECOVERY}}} /addlast", [SECOND_LOADER, LOADER, RECOVERY]),
        (f"/displayorder {{{SECOND_LOADER}}} /remove", [LOADER]),
        (f"/set {{bootmgr}} displayorder {{{RECOVERY}}} /addfirst", [RECOVERY, SECOND_LOADER, LOADER]),
    ],
)
def test_the_display_order_is_set_whole_or_by_one_entry(line: str, expected: list[UUID]) -> None:
    hive = after(line)

    assert changed(hive) == {key_of(BOOT_MANAGER, DISPLAY_ORDER)}
    assert element(hive, BOOT_MANAGER, DISPLAY_ORDER) == guids(*expected)


def test_removing_what_is_not_listed_changes_nothing_and_the_last_entry_takes_the_list_with_it() -> None:
    assert outcome_of(f"/bootsequence {{{LOADER}}} /remove").operations == ()

    hive = after("/toolsdisplayorder {memdiag} /remove")

    assert element(hive, BOOT_MANAGER, 0x24000010) is None


def test_a_boot_sequence_is_set_once() -> None:
    hive = after(f"/bootsequence {{{SECOND_LOADER}}} {{memdiag}}")

    memory_tester = objects.BY_ALIAS["memdiag"].guid
    assert element(hive, BOOT_MANAGER, 0x24000002) == guids(SECOND_LOADER, memory_tester)


# --- entries ---


def test_create_makes_an_entry_of_the_type_and_says_its_identifier() -> None:
    outcome = outcome_of('/create /d "My Windows" /application osloader')
    hive = edited(recipe(1), outcome.operations)

    assert outcome.text == f"The entry {{{NEW}}} was successfully created.\n"
    assert judged(hive)[f"Objects\\{{{NEW}}}\\Description"] == {"Type": "dword:10200003"}
    created = store_of(hive).object(NEW)
    assert [(each.name, each.value) for each in created.elements()] == [("description", "My Windows")]


@pytest.mark.parametrize(
    ("line", "guid", "expected"),
    [
        ("/create {ramdiskoptions}", objects.BY_ALIAS["ramdiskoptions"].guid, "30000000"),
        ("/create {ntldr} /d XP", objects.BY_ALIAS["ntldr"].guid, "10300006"),
        ("/create {kerneldbgsettings}", objects.BY_ALIAS["kerneldbgsettings"].guid, "20200003"),
        (f"/create {{{NEW}}} /device", NEW, "30000000"),
        ("/create /inherit", NEW, "20100000"),
        ("/create /inherit device", NEW, "20300000"),
        ("/create /application STARTUP", NEW, "10400009"),
    ],
)
def test_create_gives_each_kind_its_type(line: str, guid: UUID, expected: str) -> None:
    assert judged(after(line))[f"Objects\\{{{guid}}}\\Description"] == {"Type": f"dword:{expected}"}


def test_a_copy_has_all_elements_with_the_same_bytes_and_comes_last_in_the_menu() -> None:
    outcome = outcome_of('/copy {default} /d "A copy"')
    before, hive = judged(recipe(1)), edited(recipe(1), outcome.operations)

    assert outcome.text == f"The entry was successfully copied to {{{NEW}}}.\n"
    elements = {key: value for key, value in before.items() if f"{LOADER}}}\\Elements\\" in key}
    for key, value in elements.items():
        if not key.endswith("12000004"):
            assert judged(hive)[key.replace(str(LOADER), str(NEW))] == value
    assert element(hive, BOOT_MANAGER, DISPLAY_ORDER) == guids(SECOND_LOADER, LOADER, NEW)


def test_deleting_a_loader_takes_what_refers_to_it_but_not_a_resume_entry_that_another_shares() -> None:
    hive = after(f"/delete {{{LOADER}}}")

    assert element(hive, BOOT_MANAGER, DISPLAY_ORDER) == guids(SECOND_LOADER)
    assert element(hive, BOOT_MANAGER, 0x23000003) is None
    assert f"Objects\\{{{LOADER}}}" not in judged(hive)
    assert f"Objects\\{{{RESUME}}}" in judged(hive)


def test_with_its_last_loader_a_resume_entry_goes() -> None:
    hive = after(f"/delete {{{LOADER}}}", f"/delete {{{SECOND_LOADER}}}")

    assert not [key for key in judged(hive) if str(RESUME) in key or str(SECOND_LOADER) in key]
    assert element(hive, BOOT_MANAGER, DISPLAY_ORDER) is None
    assert element(hive, BOOT_MANAGER, 0x23000006) is None


def test_delete_without_cleanup_leaves_the_references() -> None:
    hive = after(f"/delete {{{LOADER}}} /nocleanup")

    assert element(hive, BOOT_MANAGER, DISPLAY_ORDER) == guids(SECOND_LOADER, LOADER)


def test_a_well_known_entry_is_deleted_only_by_force() -> None:
    with pytest.raises(UsageError, match="/f"):
        outcome_of("/delete {memdiag}")

    assert not [key for key in judged(after("/delete {memdiag} /f")) if "b2721d73" in key]


# --- the machine's settings ---


def test_ems_settings_set_port_and_speed_and_bios_takes_them_away() -> None:
    hive = after("/emssettings EMSPORT:1 EMSBAUDRATE:115200")

    assert changed(hive) == {key_of(EMS, 0x15000022), key_of(EMS, 0x15000023)}
    assert (element(hive, EMS, 0x15000022), element(hive, EMS, 0x15000023)) == (integer(1), integer(115200))
    assert changed(after("/emssettings emsport:1", "/emssettings BIOS")) == set()


def test_debugger_settings_of_a_serial_line() -> None:
    hive = after("/dbgsettings SERIAL DEBUGPORT:2 BAUDRATE:57600 /start AutoEnable /noumex")

    assert element(hive, DEBUGGER, 0x15000011) == integer(0)
    assert element(hive, DEBUGGER, 0x15000013) == integer(2)
    assert element(hive, DEBUGGER, 0x15000014) == integer(57600)
    assert element(hive, DEBUGGER, 0x15000018) == integer(1)
    assert element(hive, DEBUGGER, 0x16000017) == ON


def test_debugger_settings_of_a_network_keep_the_key_or_make_a_new_one() -> None:
    kept = outcome_of("/dbgsettings NET HOSTIP:10.0.0.1 PORT:50001 nodhcp")
    assert kept.text == "The operation completed successfully.\n"
    hive = edited(recipe(1), kept.operations)
    assert element(hive, DEBUGGER, 0x1500001A) == integer(0x0A000001)
    assert element(hive, DEBUGGER, 0x1600001C) == OFF
    assert store_of(hive).object(DEBUGGER).element("key").value == "1.2.3.4"  # type: ignore[union-attr]

    made = outcome_of("/dbgsettings NET HOSTIP:10.0.0.1 PORT:50001 newkey")

    key = made.text.splitlines()[0].removeprefix("Key=")
    assert re.fullmatch(r"[0-9a-z]{1,13}(\.[0-9a-z]{1,13}){3}", key)
    assert store_of(edited(recipe(1), made.operations)).object(DEBUGGER).element("key").value == key  # type: ignore[union-attr]


def test_hypervisor_settings_have_their_own_elements() -> None:
    hive = after("/hypervisorsettings SERIAL DEBUGPORT:2 BAUDRATE:9600")

    assert element(hive, HYPERVISOR, 0x250000F4) == integer(2)
    assert element(hive, HYPERVISOR, 0x250000F5) == integer(9600)


# --- what is refused, with nothing to write ---


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("/set {default} nosuchelement 1", "The element data type specified is not recognized"),
        ("/set {bootmgr} nx OptIn", "does not apply to the\nspecified entry"),
        ("/set {default} displayorder {default}", "The element data type specified is not recognized"),
        ("/set {default} custom:2f000001 1", "The element data type specified is not recognized"),
        ("/ems {bootmgr} on", "The element data type specified is not recognized"),
        ("/set {default} hypervisorlaunchtype on", "The integer data is not valid as specified"),
        ("/set {default} numproc -1", "The integer data is not valid as specified"),
        ("/set {default} numproc 18446744073709551616", "The integer data is not valid as specified"),
        ("/set {default} nx 4", "The integer data is not valid as specified"),
        ("/set {dbgsettings} hostip 10.0.0.256", "The integer data is not valid as specified"),
        ("/set {default} ems maybe", "The boolean data is not valid as specified"),
        ("/set {default} device floppy", "The device data is not valid as specified"),
        ("/set {default} device ramdisk=boot.wim", "The device data is not valid as specified"),
        ("/set {default} device gpt_partition={1};{2}", "The device data is not valid as specified"),
        ("/set {default} device partition=X:", "The system cannot find the file specified"),
        ("/set {bootmgr} default somewhere", "The entry identifier somewhere is not valid"),
        ("/set {default} description a b", "The set command specified is not valid"),
        ("/set {default} nx OptIn /addfirst", "The set command specified is not valid"),
        ("/set {default} nx", "The set command specified is not valid"),
        ("/set {ntldr} path x", "attempting to reference the specified entry"),
        ("/default {99999999-0000-0000-0000-000000000000}", "The system cannot find the file specified"),
        ("/displayorder {ntldr} /addlast", "attempting to reference the specified entry"),
        ("/displayorder {default} {bootmgr} /addlast", "The displayorder command specified is not valid"),
        ("/deletevalue {default} ems", "attempting to delete the specified data element.\nElement not found"),
        ("/deletevalue {default} nx ems", "The deletevalue command specified is not valid"),
        ("/create {bootmgr}", "already exists"),
        ("/create /d x", "The create command specified is not valid"),
        ("/create /application notepad", "The create command specified is not valid"),
        ("/create /device /inherit", "The create command specified is not valid"),
        ("/copy {default}", "The copy command specified is not valid"),
        ("/emssettings EMSPORT", "The emssettings command specified is not valid"),
        ("/dbgsettings NET HOSTIP:1.2.3.4", "The dbgsettings command specified is not valid"),
        ("/dbgsettings TELEGRAPH", "The dbgsettings command specified is not valid"),
        ("/dbgsettings SERIAL CHANNEL:1", "The dbgsettings command specified is not valid"),
        ("/hypervisorsettings USB", "The hypervisorsettings command specified is not valid"),
        ("/export x", "The export command specified is not valid"),
    ],
)
def test_what_bcdedit_refuses_is_refused_in_its_words(line: str, message: str) -> None:
    with pytest.raises((UsageError, NotFoundError)) as error:
        outcome_of(line)
    assert message in str(error.value)


def test_the_commands_about_whole_stores_are_named() -> None:
    assert {"export", "import", "createstore"} == WHOLE_STORE


def test_a_store_without_a_boot_manager_says_what_is_missing() -> None:
    hive = after("/delete {bootmgr} /f")

    for line in ("/timeout 3", "/default {default}", f"/displayorder {{{LOADER}}}"):
        with pytest.raises(VmRescueError, match="cannot find the file specified"):
            outcome_of(line, hive)
