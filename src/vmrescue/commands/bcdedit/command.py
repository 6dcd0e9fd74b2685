"""bcdedit's command line, taken apart.

Source: Microsoft's BCDEdit reference. A switch is a word that begins with ``/`` or ``-``, in any case.
"""

from __future__ import annotations

from collections import deque
from dataclasses import field
from typing import TYPE_CHECKING

from vmrescue.commands.bcdedit import messages
from vmrescue.commands.syntax import ANY, Syntax
from vmrescue.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Command:
    """One command, without deed.

    Args:
        name: without its slash, in lower case: ``enum``, ``set``.
        arguments: the words that are no switches.
        switches: the command's own switches, by name, each with its value or an empty string.
        store: what followed ``/store``.
        verbose: ``/v`` was there.
    """

    name: str
    arguments: tuple[str, ...] = ()
    switches: dict[str, str] = field(default_factory=dict)
    store: str | None = None
    verbose: bool = False

    @property
    def edits(self) -> bool:
        """Whether it is about what is to be in a store; the others list one, or make a file of one."""
        if self.name in SETTINGS:
            return bool(self.arguments)
        return self.name not in ("enum", "export", "createstore")


SETTINGS = frozenset({"dbgsettings", "hypervisorsettings"})  # list what they set if nothing follows
_PLACES = frozenset({"addfirst", "addlast", "remove"})
_SYNTAX = {
    "enum": Syntax(0, 1),
    "set": Syntax(2, ANY, _PLACES),
    "deletevalue": Syntax(1, 2),
    "create": Syntax(0, 1, frozenset({"device"}), frozenset({"d", "application"}), frozenset({"inherit"})),
    "copy": Syntax(1, 1, valued=frozenset({"d"})),
    "delete": Syntax(1, 1, frozenset({"f", "cleanup", "nocleanup"})),
    "default": Syntax(1, 1),
    "displayorder": Syntax(1, ANY, _PLACES),
    "bootsequence": Syntax(1, ANY, _PLACES),
    "toolsdisplayorder": Syntax(1, ANY, _PLACES),
    "timeout": Syntax(1, 1),
    "ems": Syntax(1, 2),
    "bootems": Syntax(1, 2),
    "debug": Syntax(1, 2),
    "bootdebug": Syntax(1, 2),
    "event": Syntax(1, 2),
    "emssettings": Syntax(1, 2),
    "dbgsettings": Syntax(0, ANY, frozenset({"noumex"}), frozenset({"start"})),
    "hypervisorsettings": Syntax(0, ANY),
    "export": Syntax(1, 1, paths=True),
    "import": Syntax(1, 1, frozenset({"clean"}), paths=True),
    "createstore": Syntax(1, 1, paths=True),
}
# These make, or take the place of, a whole store: their one argument is a path, and `run` has no part in them.
WHOLE_STORE = frozenset({"export", "import", "createstore"})


def parse(words: Sequence[str]) -> Command:
    """The command that these words of a command line give. No words at all: list the active entries.

    Raises:
        UsageError: what bcdedit says of a command, a switch or a number of arguments that it does not know.
    """
    rest = deque(words)
    name, store, verbose = "", None, False
    arguments: list[str] = []
    switches: dict[str, str] = {}
    while rest:
        word = rest.popleft()
        switch = word[1:].lower() if word[:1] in ("/", "-") else ""
        if switch == "store":
            store = _value(rest, word)
        elif switch == "v":
            verbose = True
        elif not name:
            name = _command_name(switch)
        elif switch in _SYNTAX[name].switches:
            switches[switch] = _switch_value(_SYNTAX[name], switch, word, rest)
        elif word.startswith("/") and not _SYNTAX[name].paths:
            raise messages.invalid_switch(word)
        else:
            arguments.append(word)
    name = name or "enum"
    if not _SYNTAX[name].least <= len(arguments) <= _SYNTAX[name].most:
        raise messages.invalid_command(name)
    return Command(name, tuple(arguments), switches, store, verbose)


def _command_name(switch: str) -> str:
    if switch not in _SYNTAX:
        raise messages.unknown_command()
    return switch


def _switch_value(syntax: Syntax, switch: str, word: str, rest: deque[str]) -> str:
    if switch in syntax.valued:
        return _value(rest, word)
    if switch in syntax.optional and rest and rest[0][:1] not in ("/", "-", "{"):
        return rest.popleft()
    return ""


def _value(rest: deque[str], word: str) -> str:
    if not rest:
        raise messages.invalid_switch(word)
    return rest.popleft()
