"""Microsoft's reg.exe, as a library: `parse` a command line, `run` it on the hives that its keys lie in."""

from __future__ import annotations

from vmrescue.registry.reg_command.command import Command, parse
from vmrescue.registry.reg_command.key_name import KeyName
from vmrescue.registry.reg_command.outcome import Outcome
from vmrescue.registry.reg_command.registry import Registry
from vmrescue.registry.reg_command.run import run

__all__ = ["Command", "KeyName", "Outcome", "Registry", "parse", "run"]
