"""Runs a command on a store: a listing is printed, a writing command yields the edits that it asks for."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from vmrescue.commands.bcdedit import entries, messages, set_values, settings
from vmrescue.commands.bcdedit.command import WHOLE_STORE, Command
from vmrescue.commands.bcdedit.context import Context
from vmrescue.commands.bcdedit.listing import Listing, select
from vmrescue.commands.bcdedit.volumes import NoVolumes
from vmrescue.commands.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmrescue.bcd.store import Store
    from vmrescue.commands.bcdedit.volumes import Volumes
    from vmrescue.registry.operations import Operation

# Commands that say only that they succeeded.
_EDITORS: dict[str, Callable[[Context, Command], list[Operation]]] = {
    "set": set_values.set_value,
    "deletevalue": set_values.delete_value,
    "ems": set_values.toggle,
    "bootems": set_values.toggle,
    "debug": set_values.toggle,
    "bootdebug": set_values.toggle,
    "event": set_values.toggle,
    "default": set_values.default,
    "timeout": set_values.timeout,
    "displayorder": set_values.order,
    "bootsequence": set_values.order,
    "toolsdisplayorder": set_values.order,
    "delete": entries.delete,
    "emssettings": settings.ems_settings,
}
# Commands that say what they made.
_MAKERS: dict[str, Callable[[Context, Command], tuple[list[Operation], str]]] = {
    "create": entries.create,
    "copy": entries.copy,
}
# Commands that list one object's elements when nothing follows them.
_SETTINGS: dict[str, tuple[str, Callable[[Context, Command], tuple[list[Operation], str]]]] = {
    "dbgsettings": ("{dbgsettings}", settings.debugger_settings),
    "hypervisorsettings": ("{hypervisorsettings}", settings.hypervisor_settings),
}


def run(
    command: Command,
    store: Store,
    volumes: Volumes | None = None,
    new_guid: Callable[[], uuid.UUID] = uuid.uuid4,
) -> Outcome:
    """What the command prints, and the edits of the store's hive that it asks for; nothing is written.

    Args:
        command: from `parse`; not one of `WHOLE_STORE`, which are about files.
        store: the store as it is.
        volumes: the volumes of the store's machine; without them every partition is ``unknown``.
        new_guid: makes the GUID of a new entry.

    Raises:
        UsageError, NotFoundError: what bcdedit says when it will not do it.
    """
    if command.name in WHOLE_STORE:
        raise messages.invalid_command(command.name)
    context = Context(store, volumes or NoVolumes(), new_guid)
    if command.name == "enum":
        return _enumerate(command, context)
    if command.name in _SETTINGS:
        return _settings(command, context)
    if command.name in _MAKERS:
        edits, text = _MAKERS[command.name](context, command)
    else:
        edits, text = _EDITORS[command.name](context, command), messages.SUCCESS
    return Outcome(f"{text}\n", tuple(edits), tuple(context.notes))


def _enumerate(command: Command, context: Context) -> Outcome:
    what = command.arguments[0] if command.arguments else "active"
    selected = [context.object(what)] if what.lower() == "{current}" else select(context.store, what)
    listing = Listing(context.store, context.volumes, command.verbose)
    return Outcome(listing.text(selected), (), tuple(context.notes), listing.listed(selected))


def _settings(command: Command, context: Context) -> Outcome:
    name, editor = _SETTINGS[command.name]
    if command.arguments:
        edits, key = editor(context, command)
        return Outcome(f"{key}\n{messages.SUCCESS}\n".lstrip("\n"), tuple(edits), tuple(context.notes))
    entry = context.object(name)
    listing = Listing(context.store, context.volumes, command.verbose)
    return Outcome(f"{listing.elements(entry.elements())}{messages.SUCCESS}\n", (), (), listing.listed([entry]))
