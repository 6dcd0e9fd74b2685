"""``reg compare``: which values and keys two keys have in common, and which not.

``=`` stands for what is the same, ``<`` and ``>`` for what only the first or the second key has so. Source: Microsoft's
"reg compare".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.commands.outcome import Outcome, text_of
from vmrescue.commands.reg import messages
from vmrescue.commands.reg.key_name import KeyName
from vmrescue.commands.reg.query import value_line
from vmrescue.commands.reg.registry import find_key, read_tree
from vmrescue.upcase import upper

if TYPE_CHECKING:
    from vmrescue.commands.reg.command import Command
    from vmrescue.commands.reg.registry import Registry, Stored

# (path below the key, value's name or None for the key itself), upper-cased -> (the line that shows it, its content)
Content = dict[tuple[str, str | None], tuple[str, object]]

_SHOWN = {"oa": "=<>", "od": "<>", "os": "=", "on": ""}


def compare(command: Command, registry: Registry) -> Outcome:
    """Raises NotFoundError where one of the keys is missing."""
    left, right = (_content(command, registry, KeyName.parse(text)) for text in command.arguments)
    rows = [("=" if place in right and right[place][1] == item else "<", line) for place, (line, item) in left.items()]
    rows += [(">", line) for place, (line, item) in right.items() if place not in left or left[place][1] != item]
    output = next(iter(_SHOWN.keys() & command.switches.keys()), "od")
    same = all(symbol == "=" for symbol, _ in rows)
    lines = [f"{symbol} {line}" for symbol, line in rows if symbol in _SHOWN[output]]
    result = f"Results Compared: {'Identical' if same else 'Different'}"
    return Outcome(text_of([*lines, "", result, "", messages.SUCCESS]), passed=same)


def _content(command: Command, registry: Registry, name: KeyName) -> Content:
    found = find_key(registry, name, command.view) if name.path else None
    if found is None:
        raise messages.not_found()
    wanted = command.value_name
    content: Content = {}
    for path, _, values in read_tree(*found, "s" in command.switches):
        if path:
            content[upper(path), None] = f"Key:  {name.below(path)}", None
        for value in values:
            if wanted is None or upper(value.name) == upper(wanted):
                content[upper(path), upper(value.name)] = _line(name.below(path), value), (value.type, value.raw)
    if wanted is not None and "s" not in command.switches and not content:
        raise messages.not_found()
    return content


def _line(name: KeyName, value: Stored) -> str:
    return f"Value:  {name}{value_line(value)}"
