"""The machine's settings: ``/emssettings``, ``/dbgsettings``, ``/hypervisorsettings``. Words are ``NAME:value``.

Sources: Microsoft's pages of these three commands.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from vmrescue.bcd.edits import delete_element, set_element
from vmrescue.bcd.elements import Format, element_by_id
from vmrescue.commands.bcdedit import messages
from vmrescue.commands.bcdedit.context import element_of
from vmrescue.commands.bcdedit.data import parse_integer

if TYPE_CHECKING:
    from vmrescue.bcd.store import BcdObject
    from vmrescue.commands.bcdedit.command import Command
    from vmrescue.commands.bcdedit.context import Context
    from vmrescue.registry.operations import Operation

_EMS = {"emsport": "emsport", "emsbaudrate": "emsbaudrate"}
# What each word of the command sets, by the debugger's type.
_DEBUGGER = {
    "serial": {"debugport": "debugport", "baudrate": "baudrate"},
    "1394": {"channel": "channel"},
    "usb": {"targetname": "targetname"},
    "net": {"hostip": "hostip", "port": "port", "key": "key", "busparams": "busparams"},
    "local": {},
}
_HYPERVISOR = {
    "serial": {"debugport": "hypervisordebugport", "baudrate": "hypervisorbaudrate"},
    "1394": {"channel": "hypervisorchannel"},
    "net": {"hostip": "hypervisorhostip", "port": "hypervisorhostport", "busparams": "hypervisorbusparams"},
}


def ems_settings(context: Context, command: Command) -> list[Operation]:
    """``/emssettings BIOS``, or ``EMSPORT:port [EMSBAUDRATE:baud]``. BIOS: the firmware says; so both elements go."""
    entry = context.object("{emssettings}")
    if [word.lower() for word in command.arguments] == ["bios"]:
        elements = [element_of(entry, name)[0] for name in _EMS.values()]
        return [delete_element(entry.guid, identifier) for identifier in elements if entry.element(identifier)]
    return _set_words(entry, _words(command, command.arguments, _EMS))


def debugger_settings(context: Context, command: Command) -> tuple[list[Operation], str]:
    """``/dbgsettings type NAME:value … [nodhcp] [newkey] [/start policy] [/noumex]``; the text is a new key, if any."""
    entry = context.object("{dbgsettings}")
    kind, given, flags = _taken_apart(command, _DEBUGGER, {"nodhcp", "newkey"})
    settings = {"debugtype": kind, **_words(command, given, _DEBUGGER[kind])}
    text = ""
    if kind == "net":
        _require(command, settings, "hostip", "port")
        settings["dhcp"] = "no" if "nodhcp" in flags else "yes"
        if "newkey" in flags or ("key" not in settings and entry.element("key") is None):
            settings["key"] = new_key()
            text = f"Key={settings['key']}"
    if "start" in command.switches:
        settings["debugstart"] = command.switches["start"]
    if "noumex" in command.switches:
        settings["noumex"] = "yes"
    return _set_words(entry, settings), text


def hypervisor_settings(context: Context, command: Command) -> tuple[list[Operation], str]:
    """``/hypervisorsettings type NAME:value …``; the text is a new key, if any."""
    entry = context.object("{hypervisorsettings}")
    kind, given, _ = _taken_apart(command, _HYPERVISOR, set())
    settings = {"hypervisordebugtype": kind, **_words(command, given, _HYPERVISOR[kind])}
    text = ""
    if kind == "net":
        _require(command, settings, "hypervisorhostip", "hypervisorhostport")
        if entry.element("hypervisorusekey") is None:
            settings["hypervisorusekey"] = new_key()
            text = f"Key={settings['hypervisorusekey']}"
    return _set_words(entry, settings), text


def new_key() -> str:
    """An encryption key as KDNET wants it: four 64-bit numbers in base 36, with dots between them."""
    return ".".join(_base36(secrets.randbits(64)) for _ in range(4))


def _base36(number: int) -> str:
    digits = ""
    while number or not digits:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits


def _taken_apart(
    command: Command, kinds: dict[str, dict[str, str]], flags: set[str]
) -> tuple[str, list[str], set[str]]:
    """The debugger's type, the words that set something, and the flags."""
    kind, *words = command.arguments
    if kind.lower() not in kinds:
        raise messages.invalid_command(command.name)
    given = [word for word in words if word.lower() not in flags]
    return kind.lower(), given, {word.lower() for word in words} & flags


def _words(command: Command, words: list[str] | tuple[str, ...], names: dict[str, str]) -> dict[str, str]:
    """Each ``NAME:value`` as the element that it sets and the value's text."""
    found = {}
    for word in words:
        name, _, value = word.partition(":")
        if name.lower() not in names or not value:
            raise messages.invalid_command(command.name)
        found[names[name.lower()]] = value
    return found


def _require(command: Command, settings: dict[str, str], *names: str) -> None:
    if not all(name in settings for name in names):
        raise messages.invalid_command(command.name)


def _set_words(entry: BcdObject, settings: dict[str, str]) -> list[Operation]:
    edits: list[Operation] = []
    for name, text in settings.items():
        identifier, value_format = element_of(entry, name)
        known = element_by_id(entry.type, identifier)
        value: int | bool | str = text
        if value_format is Format.INTEGER:
            value = parse_integer(text, known.values if known else (), identifier)
        elif value_format is Format.BOOLEAN:
            value = text == "yes"
        edits.append(set_element(entry.guid, identifier, value_format, value))
    return edits
