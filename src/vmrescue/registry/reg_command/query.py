"""``reg query``: keys with their values, or a search.

The layout is Windows': a blank line; each key in full; its values, indented, four blanks between name, type and data;
a blank line after them. Source: Microsoft's "reg query"; which keys without values are shown, and where blank lines
stand, is what Wine's tests of reg.exe record of Windows.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from vmrescue.registry import value_type
from vmrescue.registry.reg_command import data, messages
from vmrescue.registry.reg_command.key_name import KeyName
from vmrescue.registry.reg_command.outcome import Outcome
from vmrescue.registry.reg_command.registry import Stored, find_key, read_tree
from vmrescue.registry.upcase import upper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vmrescue.registry.hive import Hive
    from vmrescue.registry.key import Key
    from vmrescue.registry.reg_command.command import Command
    from vmrescue.registry.reg_command.registry import Registry

INDENT = "    "


class Listed(NamedTuple):
    """A key and those of its values that are shown."""

    name: KeyName
    values: list[Stored]


def query(command: Command, registry: Registry) -> Outcome:
    """Raises NotFoundError where there is no such key, or no such value."""
    name = KeyName.parse(command.arguments[0])
    if not name.path:
        hives = [name.subkey(hive) for hive in registry.hives(name.root)]
        return Outcome(["", *map(str, hives)], data=[_to_dict(Listed(hive, [])) for hive in hives])
    if command.switches.get("v") == "" and "f" not in command.switches:
        raise messages.invalid_syntax("query")
    if len(command.switches.get("se", "x")) != 1:
        raise messages.invalid_syntax("query", "A separator is one character.")
    one_key = "s" not in command.switches and not {"f", "t"} & command.switches.keys()
    found = find_key(registry, name, command.view, command.value_name if one_key else None)
    if found is None:
        raise messages.not_found()
    if {"f", "t"} & command.switches.keys():
        return _search(command, name, *found)
    if command.value_name is not None:
        return _one_value(command, name, *found)
    return _everything(command, name, *found)


def _everything(command: Command, name: KeyName, hive: Hive, key: Key) -> Outcome:
    recursive = "s" in command.switches
    listed = [Listed(name.below(path), values) for path, _, values in read_tree(hive, key, recursive)]
    below = [] if recursive else [Listed(name.subkey(subkey.name), []) for subkey in key.subkeys()]
    lines = _lines(command, listed if listed[0].values else listed[1:])
    return Outcome(["", *lines, *(str(each.name) for each in below)], data=list(map(_to_dict, [*listed, *below])))


def _one_value(command: Command, name: KeyName, hive: Hive, key: Key) -> Outcome:
    wanted = upper(command.value_name or "")
    recursive = "s" in command.switches
    listed = [
        Listed(name.below(path), [value for value in values if upper(value.name) == wanted])
        for path, _, values in read_tree(hive, key, recursive)
    ]
    listed = [each for each in listed if each.values]
    if recursive:
        return _found(command, listed, len(listed))
    if not listed and wanted:
        raise messages.not_found()
    unset = ["", str(name), f"{INDENT}(Default){INDENT}REG_SZ{INDENT}(value not set)", ""]
    return Outcome(["", *_lines(command, listed)] if listed else unset, data=list(map(_to_dict, listed)))


def _search(command: Command, name: KeyName, hive: Hive, key: Key) -> Outcome:
    """Every value that matches, and every key below whose name does."""
    search = _Search(command)
    recursive = "s" in command.switches
    listed, count = [], 0
    for path, each, values in read_tree(hive, key, recursive):
        found = [value for value in values if search.is_value(value)]
        named = bool(path) and search.is_key(each.name)
        count += len(found) + named
        if found or named:
            listed.append(Listed(name.below(path), found))
    if not recursive:
        below = [Listed(name.subkey(subkey.name), []) for subkey in key.subkeys() if search.is_key(subkey.name)]
        listed, count = listed + below, count + len(below)
    return _found(command, listed, count)


class _Search:
    """What is looked for, and where: with /k in keys' names, /v in values' names, /d in data; else in all three.

    ``/v NAME`` looks into the data of that value alone; a search by type alone (/t) is for all values of the type.
    """

    def __init__(self, command: Command) -> None:
        switches = command.switches
        self._matches = _pattern(command)
        self._types = _types(command)
        self._only = upper(switches.get("v", ""))
        places = {"k", "v", "d"} & switches.keys() or {"k", "v", "d"}
        self._keys = "k" in places and "f" in switches
        self._names = "v" in places and not self._only
        self._data = "d" in places or bool(self._only)

    def is_key(self, name: str) -> bool:
        return self._keys and self._matches(name)

    def is_value(self, value: Stored) -> bool:
        if (self._types and value.type not in self._types) or (self._only and upper(value.name) != self._only):
            return False
        if self._names and self._matches(value.name or "(Default)"):
            return True
        return self._data and self._matches(data.shown_data(value.type, value.raw))


def _pattern(command: Command) -> Callable[[str], bool]:
    """What /f looks for, anywhere in a text, or with /e the whole of it; ``*`` and ``?`` stand for any characters."""
    wanted = command.switches.get("f", "")
    first, *others = map(_piece, (wanted if "e" in command.switches else f"*{wanted}*").split("*"))
    # A piece between two stars may as well lie at its first place: no other is tried, so that a text is read once.
    between = "".join(f"(?>.*?{piece})" for piece in others[:-1])
    last = f".*{others[-1]}" if others else ""
    pattern = re.compile(first + between + last, re.DOTALL | (0 if "c" in command.switches else re.IGNORECASE))
    return lambda text: pattern.fullmatch(text) is not None


def _piece(text: str) -> str:
    """The pattern of what is written between two stars."""
    return "".join("." if mark == "?" else re.escape(mark) for mark in text)


def _types(command: Command) -> set[int]:
    """The types after /t; several are separated by commas or blanks."""
    return {int(data.parse_type("query", word)) for word in re.split(r"[ ,]+", command.switches.get("t", "")) if word}


def _found(command: Command, listed: list[Listed], count: int) -> Outcome:
    lines = ["", *_lines(command, listed), f"End of search: {count} match(es) found."]
    return Outcome(lines, passed=count > 0, data=list(map(_to_dict, listed)))


def _lines(command: Command, listed: Iterable[Listed]) -> list[str]:
    separator = command.switches.get("se", data.SEPARATOR)
    lines = []
    for each in listed:
        lines.append(str(each.name))
        lines += [value_line(value, "z" in command.switches, separator) for value in each.values]
        lines.append("")
    return lines


def value_line(value: Stored, with_number: bool = False, separator: str = data.SEPARATOR) -> str:
    """Name, type and data, four blanks before each."""
    shown = (
        value.name or "(Default)",
        data.shown_type(value.type, with_number),
        data.shown_data(value.type, value.raw, separator),
    )
    return "".join(INDENT + word for word in shown)


def _to_dict(listed: Listed) -> dict[str, Any]:
    return {"key": str(listed.name), "values": [_value_to_dict(value) for value in listed.values]}


def _value_to_dict(value: Stored) -> dict[str, Any]:
    plain = value_type.decode(value.type, value.raw)
    rest = {"hex": value.raw.hex()} if isinstance(plain, bytes) else {"data": plain}
    return {"name": value.name, "type": value_type.type_name(value.type), **rest}
