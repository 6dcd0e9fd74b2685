"""Microsoft's reg.exe, as a library: `parse` a command line, `run` it on the hives that its keys lie in."""

from __future__ import annotations

from vmrescue.commands.outcome import Outcome
from vmrescue.commands.reg.command import Command, parse
from vmrescue.commands.reg.key_name import KeyName
from vmrescue.commands.reg.registry import Registry
from vmrescue.commands.reg.run import run

__all__ = ["Command", "KeyName", "Outcome", "Registry", "parse", "run"]
