"""``reg add``, ``delete``, ``copy``, ``import``: what they ask for, as the operations of a registration file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from vmrescue.commands.reg import data, messages
from vmrescue.commands.reg.key_name import KeyName
from vmrescue.commands.reg.registry import find_key, read_tree
from vmrescue.errors import RefusedError
from vmrescue.registry.operations import CreateKey, DeleteKey, DeleteValue, Operation, SetValue
from vmrescue.registry.reg_file import parse_reg
from vmrescue.upcase import upper

if TYPE_CHECKING:
    from vmrescue.commands.reg.command import Command
    from vmrescue.commands.reg.registry import Registry


def add(command: Command, registry: Registry) -> list[Operation]:
    """The key, and the value: the default one where none is named, as in Windows also where no data is given."""
    name = _hive_or_below(command.arguments[0])
    registry.locate(name, command.view)
    switches = command.switches
    kind = data.parse_type("add", switches.get("t", "REG_SZ"))
    separator = switches.get("s", data.SEPARATOR)
    if "s" in switches and len(separator) != 1:
        raise messages.invalid_syntax("add", "A separator is one character.")
    raw = data.parse_data(kind, switches.get("d"), separator)
    return [CreateKey(str(name)), SetValue(str(name), command.value_name or "", int(kind), raw)]


def delete(command: Command, registry: Registry) -> list[Operation]:
    """A value, all values (/va), or the key with all below it. Raises NotFoundError where it is not there."""
    name = _hive_or_below(command.arguments[0])
    of_key = not {"v", "ve", "va"} & command.switches.keys()
    found = find_key(registry, name, command.view, None if of_key else command.value_name or "")
    if found is None:
        raise messages.not_found()
    key = found[1]
    if not key.path and of_key:
        raise RefusedError(f"{name} is the root of a hive: Windows deletes no such key, only what is below it")
    names = [value.name for value in key.values()]
    if "va" in command.switches:
        return [DeleteValue(str(name), each) for each in names]
    if command.value_name is None:
        return [DeleteKey(str(name))]
    doomed = [each for each in names if upper(each) == upper(command.value_name)]
    if not doomed:
        raise messages.not_found()
    return [DeleteValue(str(name), each) for each in doomed]


def copy(command: Command, registry: Registry) -> list[Operation]:
    """The values, with /s also the keys below, into another key; what that has besides stays."""
    source, target = map(_hive_or_below, command.arguments)
    if upper(str(source)) == upper(str(target)):
        raise messages.onto_itself()
    found = find_key(registry, source, command.view)
    registry.locate(target, command.view)
    if found is None:
        raise messages.not_found()
    operations: list[Operation] = []
    for path, _, values in read_tree(*found, "s" in command.switches):
        place = str(target.below(path))
        operations.append(CreateKey(place))
        operations += [SetValue(place, value.name, value.type, value.raw) for value in values]
    return operations


def imported(content: bytes) -> list[Operation]:
    """What a registration file says, its keys named in full. Raises UsageError where it is malformed."""
    return [_renamed(operation) for operation in parse_reg(content)]


def _renamed(operation: Operation) -> Operation:
    path = str(_hive_or_below(operation.path))
    return replace(operation, path=path)


def _hive_or_below(text: str) -> KeyName:
    """A key that lies in a hive: a root alone does not."""
    name = KeyName.parse(text)
    if not name.path:
        raise messages.invalid_key_name(text)
    return name
