"""The commands that set and delete elements: ``/set``, ``/deletevalue``, the switches, and the boot manager's lists.

Sources: Microsoft's BCDEdit reference and the pages of the single commands (/bootsequence says what /addfirst,
/addlast and /remove do).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.bcd.edits import delete_element, set_element
from vmrescue.bcd.elements import Format, element_by_id
from vmrescue.commands.bcdedit import messages
from vmrescue.commands.bcdedit.context import Context, element_of
from vmrescue.commands.bcdedit.data import parse_boolean, parse_device, parse_integer

if TYPE_CHECKING:
    from uuid import UUID

    from vmrescue.bcd.store import BcdObject
    from vmrescue.bcd.values import Value
    from vmrescue.commands.bcdedit.command import Command
    from vmrescue.registry.operations import Operation


def set_value(context: Context, command: Command) -> list[Operation]:
    """``/set [{id}] datatype value …``"""
    entry, words = context.entry(command.arguments)
    if len(words) < 2:
        raise messages.invalid_command("set")
    identifier, value_format = element_of(entry, words[0])
    if value_format in (Format.OBJECT_LIST, Format.INTEGER_LIST):
        given = tuple(_item(context, value_format, word) for word in words[1:])
        return _set_list(entry, identifier, value_format, given, command)
    if len(words) > 2 or command.switches:
        raise messages.invalid_command("set")
    value = _single(context, entry, identifier, value_format, words[1])
    return [set_element(entry.guid, identifier, value_format, value)]


def _single(context: Context, entry: BcdObject, identifier: int, value_format: Format, text: str) -> Value:
    match value_format:
        case Format.DEVICE:
            return parse_device(text, identifier, context.volumes, context.guid)
        case Format.OBJECT:
            return context.guid(text)
        case Format.BOOLEAN:
            return parse_boolean(text)
        case Format.INTEGER:
            known = element_by_id(entry.type, identifier)
            return parse_integer(text, known.values if known else (), identifier)
    return text


def _item(context: Context, value_format: Format, text: str) -> UUID | int:
    return context.guid(text) if value_format is Format.OBJECT_LIST else parse_integer(text)


def _set_list(
    entry: BcdObject, identifier: int, value_format: Format, given: tuple[UUID | int, ...], command: Command
) -> list[Operation]:
    """The whole list, or one item put first, put last or taken away. A list that loses its last item goes."""
    if not command.switches:
        return [_edit(entry, identifier, value_format, given)]
    if len(given) > 1 or len(command.switches) > 1:
        raise messages.invalid_command(command.name)
    element = entry.element(identifier)
    before = element.value if element and isinstance(element.value, tuple) else ()
    others = tuple(item for item in before if item != given[0])
    if "addfirst" in command.switches:
        return [_edit(entry, identifier, value_format, given + others)]
    if "addlast" in command.switches:
        return [_edit(entry, identifier, value_format, others + given)]
    if others == before:
        return []
    return [_edit(entry, identifier, value_format, others)] if others else [delete_element(entry.guid, identifier)]


def _edit(entry: BcdObject, identifier: int, value_format: Format, items: tuple[UUID | int, ...]) -> Operation:
    return set_element(entry.guid, identifier, value_format, items)  # type: ignore[arg-type]


def delete_value(context: Context, command: Command) -> list[Operation]:
    """``/deletevalue [{id}] datatype``"""
    entry, words = context.entry(command.arguments)
    if len(words) != 1:
        raise messages.invalid_command("deletevalue")
    identifier, _ = element_of(entry, words[0])
    if entry.element(identifier) is None:
        raise messages.no_such_element()
    return [delete_element(entry.guid, identifier)]


def toggle(context: Context, command: Command) -> list[Operation]:
    """``/ems``, ``/bootems``, ``/debug``, ``/bootdebug``, ``/event``: ``[{id}] on|off`` for the element so called."""
    entry, words = context.entry(command.arguments)
    if len(words) != 1:
        raise messages.invalid_command(command.name)
    identifier, value_format = element_of(entry, command.name)
    return [set_element(entry.guid, identifier, value_format, parse_boolean(words[0]))]


def default(context: Context, command: Command) -> list[Operation]:
    """``/default {id}``"""
    manager, entry = context.object("{bootmgr}"), context.object(command.arguments[0])
    identifier, value_format = element_of(manager, "default")
    return [set_element(manager.guid, identifier, value_format, entry.guid)]


def timeout(context: Context, command: Command) -> list[Operation]:
    """``/timeout seconds``"""
    manager = context.object("{bootmgr}")
    identifier, value_format = element_of(manager, "timeout")
    return [set_element(manager.guid, identifier, value_format, parse_integer(command.arguments[0]))]


def order(context: Context, command: Command) -> list[Operation]:
    """``/displayorder``, ``/bootsequence``, ``/toolsdisplayorder``: ``{id} … [/addfirst | /addlast | /remove]``"""
    manager = context.object("{bootmgr}")
    identifier, value_format = element_of(manager, command.name)
    name_entry = context.guid if "remove" in command.switches else lambda word: context.object(word).guid
    return _set_list(manager, identifier, value_format, tuple(map(name_entry, command.arguments)), command)
