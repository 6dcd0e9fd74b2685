"""What a person writes: playbooks and command files, whose words are replaced, repeated and cut."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from fuzz.mutation import Seed, mutate
from fuzz.parser import Parser
from vmrescue import Playbook
from vmrescue.commands.batch.runbook import Runbook

if TYPE_CHECKING:
    from random import Random

PLAYBOOKS = Path(__file__).parents[2] / "docs/playbooks"
# The words that mean something to a reader of YAML or of a command file, and some that are too long or too deep.
ODD = (
    "", "\0", "\t", "'", '"', "&", "|", "^", "%", "%%", "%A%", "(", ")", "<", ">", "@", "::", "rem ", "set A=%A%%A%\n",
    ": ", "- ", "[", "]", "{", "}", "&a ", "*a", "!!python/object:os.system", "|\n", ">\n", "---\n", "...\n", "#", "~",
    "\ud7ff", "\ufeff", "\u202e", "\x1b[2J", "..\\..\\", "C:", "\\\\?\\", "/f", "/v", "-", "0x", "1" * 400, "9" * 5000,
    "[" * 5000, "{a: " * 2000, "^" * 9000, '"' * 9001, "%A" * 9000, "a" * 70_000, "a\n" * 20_000,
)  # fmt: skip
RUNBOOK = r"""@echo off
rem the lines of a runbook
set STORE=F:\boot\bcd
bcdedit /store %STORE% /enum {badmemory}
bcdedit /store %STORE% /deletevalue {badmemory} badmemorylist
bcdedit /store %STORE% /set {default} recoveryenabled Off
reg load HKLM\BROKENSYSTEM F:\windows\system32\config\SYSTEM
reg add "HKLM\BROKENSYSTEM\ControlSet001\Control\CrashControl" /v CrashDumpEnabled /t REG_DWORD /d 1 /f
reg delete HKLM\BROKENSYSTEM\ControlSet001\Services\gone /f
reg unload HKLM\BROKENSYSTEM
del /f /q F:\windows\temp\*.tmp
copy F:\windows\a.sys F:\windows\b.sys
ren F:\windows\b.sys c.sys
md F:\windows\new
attrib -r F:\windows\c.sys
"""


@functools.cache
def playbooks() -> list[Seed]:
    return [Seed(path.name, path.read_bytes()) for path in sorted(PLAYBOOKS.glob("*.yaml"))]


@functools.cache
def runbooks() -> list[Seed]:
    text = RUNBOOK.replace("\n", "\r\n")
    return [Seed("a runbook", text.encode()), Seed("in UTF-16", text.encode("utf-16"))]


def change(seed: Seed, chance: Random) -> bytes:
    """Bytes changed; or words put in, taken out, moved and repeated."""
    if chance.randrange(3) == 0:
        return mutate(seed, chance)
    words = seed.data.split(b" ")
    for _ in range(chance.choice((1, 1, 2, 5))):
        at = chance.randrange(len(words))
        odd = chance.choice(ODD).encode("utf-8", "surrogatepass")
        kind = chance.randrange(4)
        if kind == 0:
            words[at] = odd
        elif kind == 1:
            words[at] += odd
        elif kind == 2:
            words[at : at + 1] = [words[chance.randrange(len(words))]] * chance.choice((1, 2, 50))
        else:
            words = [*words[:at], odd, *words[at:]]
    return b" ".join(words)


def run_playbook(data: bytes) -> None:
    """Reads it; one that is taken has a name."""
    assert Playbook.from_yaml(data).id.name


def run_runbook(data: bytes) -> None:
    """Reads all its lines; each command that it gives has the number of a line."""
    lines = data.count(b"\n") + data.count(b"\r") + 1
    assert all(0 < command.number <= lines for command in Runbook.parse(data, "a runbook").commands)


PARSERS = (
    Parser("playbook", run_playbook, playbooks, change),
    Parser("runbook", run_runbook, runbooks, change),
)
