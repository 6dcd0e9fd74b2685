"""``reg query``: keys with their values, or a search.

The layout is Windows': a blank line; each key in full; its values, indented, four blanks between name, type and data;
a blank line after them. Source: Microsoft's "reg query"; which keys without values are shown, and where blank lines
stand, is what Wine's tests of reg.exe record of Windows.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from vmrescue.commands.outcome import Piece
from vmrescue.commands.reg import data, messages
from vmrescue.commands.reg.key_name import KeyName
from vmrescue.commands.reg.listed import ListedKey, ListedValue
from vmrescue.commands.reg.registry import StoredValue, find_key, read_tree
from vmrescue.upcase import upper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vmrescue.commands.reg.command import Command
    from vmrescue.commands.reg.registry import Registry

    Show = Callable[[Piece], object]

INDENT = "    "


class Listed(NamedTuple):
    """A key and those of its values that are shown."""

    name: KeyName
    values: list[StoredValue]


def query(command: Command, registry: Registry, show: Show) -> bool:
    """Shows what is found, key by key. Returns whether anything is that was looked for.

    Raises NotFoundError where there is no such key, or no such value.
    """
    name = KeyName.parse(command.arguments[0])
    if command.switches.get("v") == "" and "f" not in command.switches:
        raise messages.invalid_syntax("query")
    if len(command.switches.get("se", "x")) != 1:
        raise messages.invalid_syntax("query", "A separator is one character.")
    top = (_Root if name.holds_hives else _Top)(command, registry, name)
    if {"f", "t"} & command.switches.keys():
        return _search(command, top, show)
    if command.value_name is not None:
        return _one_value(command, name, top, show)
    return _everything(command, name, top, show)


class _Top:
    """The key that is asked for: itself, what is below it, all keys of both.

    Raises NotFoundError where there is none.
    """

    def __init__(self, command: Command, registry: Registry, name: KeyName) -> None:
        self.recursive = "s" in command.switches
        one_value = not self.recursive and not {"f", "t"} & command.switches.keys()
        found = find_key(registry, name, command.view, command.value_name if one_value else None)
        if found is None:
            raise messages.not_found()
        self._name = name
        self._hive, self._key = found

    def tree(self) -> Iterator[tuple[KeyName, str | None, list[StoredValue]]]:
        """A key's full name, its own (None for the one that is asked for), its values; all below it if recursive."""
        for path, key, values in read_tree(self._hive, self._key, self.recursive):
            yield self._name.below(path), key.name if path else None, values

    def below(self) -> list[tuple[KeyName, str]]:
        """The full and the own names of the keys directly below it."""
        return [(self._name.subkey(key.name), key.name) for key in self._key.subkeys()]


class _Root(_Top):
    """A root such as HKLM, which has no values: below it are the hives."""

    def __init__(self, command: Command, registry: Registry, name: KeyName) -> None:
        self.recursive = "s" in command.switches
        self._name = name
        self._command, self._registry = command, registry

    def tree(self) -> Iterator[tuple[KeyName, str | None, list[StoredValue]]]:
        for hive, own in self.below() if self.recursive else []:
            found = find_key(self._registry, hive, self._command.view)
            for path, key, values in read_tree(*found, recursive=True) if found else []:
                yield hive.below(path), key.name if path else own, values

    def below(self) -> list[tuple[KeyName, str]]:
        return [(self._name.subkey(hive), hive) for hive in self._registry.hives(self._name.root)]


def _everything(command: Command, name: KeyName, top: _Top, show: Show) -> bool:
    show(Piece([""]))
    for key, _, values in top.tree():
        show(_piece_of(command, Listed(key, values), in_lines=bool(values) or key != name))
    for key, _ in [] if top.recursive else top.below():
        show(Piece([str(key)], partial(_listed, Listed(key, []))))
    return True


def _one_value(command: Command, name: KeyName, top: _Top, show: Show) -> bool:
    wanted = upper(command.value_name or "")
    listed = (Listed(key, [value for value in values if upper(value.name) == wanted]) for key, _, values in top.tree())
    if top.recursive:
        return _searched(command, ((each, 1) for each in listed if each.values), show)
    found = next((each for each in listed if each.values), None)  # of a root that holds hives there is no key
    if found is None and wanted:
        raise messages.not_found()
    if found is None:
        show(Piece(["", str(name), f"{INDENT}(Default){INDENT}REG_SZ{INDENT}(value not set)", ""]))
    else:
        show(Piece([""]))
        show(_piece_of(command, found))
    return True


def _search(command: Command, top: _Top, show: Show) -> bool:
    """Every value that matches, and every key below whose name does."""
    return _searched(command, _matches(_Search(command), top), show)


def _matches(search: _Search, top: _Top) -> Iterator[tuple[Listed, int]]:
    """Each key that is shown, and how many matches it is."""
    for key, own, values in top.tree():
        found = [value for value in values if search.is_value(value)]
        named = own is not None and search.is_key(own)
        if found or named:
            yield Listed(key, found), len(found) + named
    yield from ((Listed(key, []), 1) for key, own in ([] if top.recursive else top.below()) if search.is_key(own))


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

    def is_value(self, value: StoredValue) -> bool:
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


def _searched(command: Command, matches: Iterable[tuple[Listed, int]], show: Show) -> bool:
    show(Piece([""]))
    total = 0
    for each, count in matches:
        show(_piece_of(command, each))
        total += count
    show(Piece([f"End of search: {total} match(es) found."]))
    return total > 0


def _piece_of(command: Command, each: Listed, in_lines: bool = True) -> Piece:
    separator = command.switches.get("se", data.SEPARATOR)
    lines = [value_line(value, "z" in command.switches, separator) for value in each.values] if in_lines else []
    return Piece([str(each.name), *lines, ""] if in_lines else [], partial(_listed, each))


def value_line(value: StoredValue, with_number: bool = False, separator: str = data.SEPARATOR) -> str:
    """Name, type and data, four blanks before each."""
    shown = (
        value.name or "(Default)",
        data.shown_type(value.type, with_number),
        data.shown_data(value.type, value.raw, separator),
    )
    return "".join(INDENT + word for word in shown)


def _listed(each: Listed) -> ListedKey:
    return ListedKey(str(each.name), tuple(map(ListedValue.of, each.values)))
