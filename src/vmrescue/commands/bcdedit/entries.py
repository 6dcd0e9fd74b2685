"""The commands that make and delete entries: ``/create``, ``/copy``, ``/delete``.

Sources: Microsoft's BCDEdit reference; Geoff Chappell's "BCD Objects" for the types that ``/create`` gives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.bcd import objects
from vmrescue.bcd.edits import (
    create_object,
    delete_element,
    delete_object,
    element_path,
    set_element,
)
from vmrescue.bcd.elements import Format
from vmrescue.bcd.objects import Application, ObjectType, braced
from vmrescue.bcd.store import DISPLAY_ORDER
from vmrescue.commands.bcdedit import messages
from vmrescue.registry.operations import SetValue

if TYPE_CHECKING:
    from uuid import UUID

    from vmrescue.bcd.store import BcdObject
    from vmrescue.commands.bcdedit.command import Command
    from vmrescue.commands.bcdedit.context import Context
    from vmrescue.registry.operations import Operation

_DESCRIPTION = 0x12000004
_RESUME_OBJECT = 0x23000003

_APPLICATIONS = {
    "osloader": 0x10200003,
    "resume": 0x10200004,
    "bootsector": 0x10400008,
    "startup": 0x10400009,
    "bootapp": 0x1020000A,
}
_INHERITED = {
    "": 0x20100000,
    "fwbootmgr": 0x20200001,
    "bootmgr": 0x20200002,
    "osloader": 0x20200003,
    "resume": 0x20200004,
    "memdiag": 0x20200005,
    "ntldr": 0x20200006,
    "setupldr": 0x20200007,
    "bootsector": 0x20200008,
    "startup": 0x20200009,
    "device": 0x20300000,
}
_DEVICE_OPTIONS = 0x30000000


def create(context: Context, command: Command) -> tuple[list[Operation], str]:
    """``/create [{id}] [/d description] [/application type | /inherit [type] | /device]``"""
    guid = context.guid(command.arguments[0]) if command.arguments else context.new_guid()
    edits = create_object(guid, _type_to_create(guid, command))
    if context.store.find(guid):
        raise messages.entry_exists()
    if "d" in command.switches:
        edits.append(set_element(guid, _DESCRIPTION, Format.STRING, command.switches["d"]))
    return edits, f"The entry {objects.identifier_of(guid)} was successfully created."


def _type_to_create(guid: UUID, command: Command) -> ObjectType:
    known = objects.BY_GUID.get(guid)
    asked = [
        table.get(command.switches[switch].lower())
        for switch, table in (
            ("application", _APPLICATIONS),
            ("inherit", _INHERITED),
            ("device", {"": _DEVICE_OPTIONS}),
        )
        if switch in command.switches
    ]
    if known and not asked:
        return known.type
    if len(asked) != 1 or asked[0] is None:
        raise messages.invalid_command("create")
    return ObjectType(asked[0])


def copy(context: Context, command: Command) -> tuple[list[Operation], str]:
    """``/copy {id} /d description``. The copy of an entry that the boot menu shows comes last in the menu."""
    entry = context.object(command.arguments[0])
    if "d" not in command.switches:
        raise messages.invalid_command("copy")
    guid = context.new_guid()
    edits = create_object(guid, entry.type)
    for element in entry.elements():
        if element.id != _DESCRIPTION:
            edits.append(SetValue(element_path(guid, element.id), "Element", element.registry_type, element.raw))
    edits.append(set_element(guid, _DESCRIPTION, Format.STRING, command.switches["d"]))
    manager = context.store.find(objects.BY_ALIAS["bootmgr"].guid)
    shown = manager.references(DISPLAY_ORDER) if manager else ()
    if manager and entry.guid in shown:
        edits.append(set_element(manager.guid, DISPLAY_ORDER, Format.OBJECT_LIST, (*shown, guid)))
    return edits, f"The entry was successfully copied to {braced(guid)}."


def delete(context: Context, command: Command) -> list[Operation]:
    """``/delete {id} [/f] [/cleanup | /nocleanup]``.

    Unless told otherwise, what refers to the entry goes too, and with an OS loader its resume entry, where no other
    loader has the same one. A well-known entry is deleted only with /f.
    """
    entry = context.object(command.arguments[0])
    if entry.alias and "f" not in command.switches:
        raise messages.needs_force()
    if "nocleanup" in command.switches:
        return [delete_object(entry.guid)]
    doomed = {entry.guid, *_own_resume_entry(context, entry)}
    staying = [each for each in context.store.objects() if each.guid not in doomed]
    edits = [edit for each in staying for edit in _without_references(each, doomed)]
    return [*edits, *map(delete_object, sorted(doomed, key=str))]


def _own_resume_entry(context: Context, entry: BcdObject) -> list[UUID]:
    """The resume entry of an OS loader, unless another loader has it too."""
    if entry.type.application is not Application.OS_LOADER:
        return []
    others = {guid for each in context.store.loaders() if each is not entry for guid in each.references(_RESUME_OBJECT)}
    return [guid for guid in entry.references(_RESUME_OBJECT) if guid not in others and context.store.find(guid)]


def _without_references(entry: BcdObject, doomed: set[UUID]) -> list[Operation]:
    """The entry's elements that name a doomed entry, without it; gone, where nothing is left."""
    edits: list[Operation] = []
    for element in entry.elements():
        named = entry.references(element.id)
        left = tuple(guid for guid in named if guid not in doomed)
        if left and left != named:
            edits.append(set_element(entry.guid, element.id, Format.OBJECT_LIST, left))
        elif named and not left:
            edits.append(delete_element(entry.guid, element.id))
    return edits
