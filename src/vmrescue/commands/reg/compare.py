"""``reg compare``: which values and keys two keys have in common, and which not.

``=`` stands for what is the same, ``<`` and ``>`` for what only the first or the second key has so. Source: Microsoft's
"reg compare".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from vmrescue.commands.outcome import Outcome, text_of
from vmrescue.commands.reg import messages
from vmrescue.commands.reg.key_name import KeyName
from vmrescue.commands.reg.listed import Compared, ListedValue
from vmrescue.commands.reg.query import value_line
from vmrescue.commands.reg.registry import find_key, read_tree
from vmrescue.upcase import upper

if TYPE_CHECKING:
    from vmrescue.commands.reg.command import Command
    from vmrescue.commands.reg.registry import Registry, StoredValue

# (path below the key, value's name or None for the key itself), upper-cased -> the key that has it, and the value
Content = dict[tuple[str, str | None], tuple[KeyName, "StoredValue | None"]]
Side = Literal["=", "<", ">"]

_SHOWN: dict[str, tuple[Side, ...]] = {"oa": ("=", "<", ">"), "od": ("<", ">"), "os": ("=",), "on": ()}


def compare(command: Command, registry: Registry) -> Outcome:
    """Raises NotFoundError where one of the keys is missing."""
    left, right = (_content(command, registry, KeyName.parse(text)) for text in command.arguments)
    rows: list[tuple[Side, KeyName, StoredValue | None]] = [
        ("=" if place in right and _same(right[place][1], value) else "<", name, value)
        for place, (name, value) in left.items()
    ]
    rows += [
        (">", name, value)
        for place, (name, value) in right.items()
        if place not in left or not _same(left[place][1], value)
    ]
    output = next(iter(_SHOWN.keys() & command.switches.keys()), "od")
    same = all(side == "=" for side, _, _ in rows)
    shown = [row for row in rows if row[0] in _SHOWN[output]]
    lines = [f"{side} {_line(name, value)}" for side, name, value in shown]
    found = tuple(Compared(side, str(name), value and ListedValue.of(value)) for side, name, value in shown)
    result = f"Results Compared: {'Identical' if same else 'Different'}"
    return Outcome(text_of([*lines, "", result, "", messages.SUCCESS]), passed=same, found=found)


def _same(one: StoredValue | None, other: StoredValue | None) -> bool:
    """Whether two values hold the same, however their names are spelled."""
    return (one and (one.type, one.raw)) == (other and (other.type, other.raw))


def _content(command: Command, registry: Registry, name: KeyName) -> Content:
    found = find_key(registry, name, command.view) if name.path else None
    if found is None:
        raise messages.not_found()
    wanted = command.value_name
    content: Content = {}
    for path, _, values in read_tree(*found, "s" in command.switches):
        if path:
            content[upper(path), None] = name.below(path), None
        for value in values:
            if wanted is None or upper(value.name) == upper(wanted):
                content[upper(path), upper(value.name)] = name.below(path), value
    if wanted is not None and "s" not in command.switches and not content:
        raise messages.not_found()
    return content


def _line(name: KeyName, value: StoredValue | None) -> str:
    return f"Value:  {name}{value_line(value)}" if value else f"Key:  {name}"
