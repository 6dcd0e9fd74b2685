"""What a fact is made of: fields that know what they are in JSON, and how they read in a document.

A kind of fact is a frozen dataclass (`checks.facts`). Each of its fields says once how it is called and what sort of
thing it is: `As` a text or a number, `Bytes` a size, `Data` what a registry value holds, `Items` a list, `Sizes` bytes
by name. The keys in JSON are a public contract: they stay.
"""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import Any, NamedTuple, get_type_hints

from vmrescue.dataclass import dataclass
from vmrescue.plan import RegistryData
from vmrescue.units import size_text

ABSENT = "(absent)"
SHOWN_ITEMS = 8  # of a long list, to a person; JSON has more


class Told(NamedTuple):
    """A fact to be shown: its label, and rows of cells. A single row of a single cell is a plain text."""

    label: str
    rows: list[list[str]]
    head: tuple[str, ...] = ()


@dataclass(frozen=True)
class As:
    """A field that is shown as the text that it is; nothing is shown of None."""

    key: str
    label: str = ""

    def plain(self, value: Any) -> dict[str, Any]:
        """What it is in JSON."""
        return {self.key: value}

    def told(self, value: Any) -> list[Told]:
        return [] if value is None else [self._text(str(value))]

    def _text(self, text: str) -> Told:
        return Told(self.name, [[text]])

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self.label or self.key.replace("_", " ")


class Bytes(As):
    """A number of bytes."""

    def told(self, value: int | None) -> list[Told]:
        return [] if value is None else [self._text(_size(value))]


class Data(As):
    """What a registry value holds, or a text that stands for it; None where there is no such value."""

    def plain(self, value: RegistryData | str | None) -> dict[str, Any]:
        return {self.key: value.to_dict() if isinstance(value, RegistryData) else value}

    def told(self, value: RegistryData | str | None) -> list[Told]:
        return [self._text(_data(value))]


@dataclass(frozen=True)
class Items(As):
    """A list; nothing is shown of an empty one. `form` says how one of it is written."""

    form: str = "{}"

    def plain(self, value: tuple[Any, ...]) -> dict[str, Any]:
        return {self.key: list(value)}

    def told(self, value: tuple[Any, ...]) -> list[Told]:
        if not value:
            return []
        more = f"; … ({len(value)} in all)" if len(value) > SHOWN_ITEMS else ""
        return [self._text("; ".join(map(self.form.format, value[:SHOWN_ITEMS])) + more)]


class ByName(As):
    """Numbers or texts by name; nothing is shown of none."""

    def told(self, value: dict[str, Any]) -> list[Told]:
        return [Told(self.name, [[name, self.cell(each)] for name, each in value.items()])] if value else []

    def cell(self, value: Any) -> str:
        return str(value)


class Sizes(ByName):
    """Bytes by name."""

    def cell(self, value: int) -> str:
        return _size(value)


class Difference(NamedTuple):
    """A registry value by name: what was found, and what is wanted; None where the value is to go."""

    name: str
    found: RegistryData | None
    wanted: RegistryData | None


class SettingDifference(NamedTuple):
    """A setting by name, as it takes effect and as it is wanted; None where nothing sets it."""

    name: str
    found: int | str | None
    wanted: int | str


@dataclass(frozen=True)
class RegistryValues(As):
    """Several values of a key."""

    def plain(self, value: tuple[Difference, ...]) -> dict[str, Any]:
        rows = [{"value": each.name} | FOUND.plain(each.found) | WANTED.plain(each.wanted) for each in value]
        return {self.key: rows}

    def told(self, value: tuple[Difference, ...]) -> list[Told]:
        return [_compared(self.name, "value", value)]


class SettingDifferences(As):
    """Several settings, whose names are keys in JSON."""

    def plain(self, value: tuple[SettingDifference, ...]) -> dict[str, Any]:
        return {
            "found": {each.name: each.found for each in value},
            "wanted": {each.name: each.wanted for each in value},
        }

    def told(self, value: tuple[SettingDifference, ...]) -> list[Told]:
        return [_compared(self.name, "setting", value)]


class ElementDifference(NamedTuple):
    """An element of an object of the boot store, as it was found and as it is wanted."""

    object: str
    alias: str | None
    name: str
    found: str
    wanted: str


class Elements(As):
    """Several elements of the boot store; nothing is shown of none."""

    def plain(self, value: tuple[ElementDifference, ...]) -> dict[str, Any]:
        rows = [
            {
                "object": each.object,
                "alias": each.alias,
                "element": each.name,
                "found": each.found,
                "wanted": each.wanted,
            }
            for each in value
        ]
        return {self.key: rows}

    def told(self, value: tuple[ElementDifference, ...]) -> list[Told]:
        rows = [[f"{each.name} of {each.alias or each.object}", each.found, each.wanted] for each in value]
        return [Told(self.name, rows, ("element", "found", "wanted"))] if rows else []


FOUND, WANTED = Data("found"), Data("wanted")


def _compared(label: str, name: str, differences: tuple[Difference | SettingDifference, ...]) -> Told:
    rows = [[each.name, _data(each.found), _data(each.wanted)] for each in differences]
    return Told(label, rows, (name, "found", "wanted"))


def _size(value: int) -> str:
    return f"{value} ({size_text(value)})"


def _data(value: RegistryData | str | int | None) -> str:
    return ABSENT if value is None else str(value)


class Fact:
    """What all kinds of facts have in common."""

    def to_dict(self) -> dict[str, Any]:
        """Its part of the evidence in JSON."""
        return {key: value for field, kind in self._fields() for key, value in kind.plain(field).items()}

    def told(self) -> list[Told]:
        """What of it a document shows."""
        return [each for field, kind in self._fields() for each in kind.told(field)]

    def _fields(self) -> list[tuple[Any, As]]:
        kind_of_fact: Any = type(self)
        return [(getattr(self, name), kind) for name, kind in _kinds(kind_of_fact)]


@cache
def _kinds(fact: Any) -> list[tuple[str, As]]:
    hints = get_type_hints(fact, include_extras=True)
    return [(field.name, hints[field.name].__metadata__[0]) for field in fields(fact)]
