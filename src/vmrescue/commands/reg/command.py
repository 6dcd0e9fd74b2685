"""reg.exe's command line, taken apart.

Source: Microsoft's pages of the reg commands. The keys (and the file) come first, then the switches: words that begin
with ``/`` or ``-``, in any case of letters, each at most once.
"""

from __future__ import annotations

from collections import deque
from dataclasses import field
from typing import TYPE_CHECKING

from vmrescue.commands.reg import messages
from vmrescue.commands.syntax import Syntax
from vmrescue.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

NATIVE_VIEW = 64  # a machine that runs on Azure is a 64-bit Windows


@dataclass(frozen=True)
class Command:
    """One command, without deed.

    Attributes:
        name: ``query``, ``add``, …
        arguments: the keys, and the file.
        switches: without their slash, in lower case, each with its value or an empty string; /reg:32 is in `view`.
        view: 32 or 64.
    """

    name: str
    arguments: tuple[str, ...]
    switches: dict[str, str] = field(default_factory=dict)
    view: int = NATIVE_VIEW

    @property
    def edits(self) -> bool:
        """Whether it is about what is to be in a hive; the others tell what is there, or what it is called."""
        return self.name in ("add", "delete", "copy", "import")

    @property
    def value_name(self) -> str | None:
        """The value that /v or /ve names; None where neither does."""
        return "" if "ve" in self.switches else self.switches.get("v")

    @property
    def asks_nothing(self) -> bool:
        """Whether /f or /y says that nothing need be confirmed."""
        return not {"f", "y"}.isdisjoint(self.switches) and self.name != "query"


_WHICH_VALUE = frozenset({"v", "ve", "va"})
_OUTPUTS = frozenset({"oa", "od", "os", "on"})
_SYNTAX = {
    "query": Syntax(
        1, 1, frozenset({"ve", "s", "k", "d", "c", "e", "z"}), frozenset({"f", "t", "se"}), frozenset({"v"})
    ),
    "add": Syntax(1, 1, frozenset({"ve", "f"}), frozenset({"v", "t", "s", "d"})),
    "delete": Syntax(1, 1, frozenset({"ve", "va", "f"}), frozenset({"v"})),
    "copy": Syntax(2, 2, frozenset({"s", "f"})),
    "export": Syntax(2, 2, frozenset({"y"})),
    "import": Syntax(1, 1),
    "compare": Syntax(2, 2, frozenset({"ve", "s"}) | _OUTPUTS, frozenset({"v"})),
    "check": Syntax(1, 1),
    "load": Syntax(2, 2),
    "unload": Syntax(1, 1),
}
_NEEDLESS = frozenset({"save", "restore", "flags"})


def parse(words: Sequence[str]) -> Command:
    """The command that these words give. Raises UsageError: what reg.exe says of a malformed one."""
    name = words[0].lower() if words else ""
    if name in _NEEDLESS:
        raise messages.no_load(name)
    if name not in _SYNTAX:
        raise messages.invalid_syntax("")
    syntax = _SYNTAX[name]
    arguments, rest = tuple(words[1 : 1 + syntax.most]), deque(words[1 + syntax.most :])
    if len(arguments) < syntax.least:
        raise messages.invalid_syntax(name)
    switches: dict[str, str] = {}
    views: list[int] = []
    while rest:
        word = rest.popleft()
        switch = word[1:].lower() if word[:1] in ("/", "-") else ""
        if switch in ("reg:32", "reg:64"):
            views.append(int(switch[4:]))
        elif switch in syntax.switches and switch not in switches:
            switches[switch] = _value(name, syntax, switch, rest)
        else:
            raise messages.invalid_syntax(name)
    if len(views) > 1 or any(len(both & switches.keys()) > 1 for both in (_WHICH_VALUE, _OUTPUTS)):
        raise messages.invalid_syntax(name)
    return Command(name, arguments, switches, views[0] if views else NATIVE_VIEW)


def _value(command: str, syntax: Syntax, switch: str, rest: deque[str]) -> str:
    if switch in syntax.plain or (switch in syntax.optional and not _follows(syntax, rest)):
        return ""
    if not rest:
        raise messages.invalid_syntax(command)
    return rest.popleft()


def _follows(syntax: Syntax, rest: deque[str]) -> bool:
    """Whether the next word is a value, and no switch."""
    return bool(rest) and not (rest[0][:1] in ("/", "-") and rest[0][1:].lower() in syntax.switches)
