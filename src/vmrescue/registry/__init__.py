"""Registry hives: read, edited, recovered from their logs, checked. See `hive.Hive`."""

from __future__ import annotations

from vmrescue.registry.check import Problem
from vmrescue.registry.errors import KeyNotFound, RecoveryError, ValueNotFound
from vmrescue.registry.hive import Hive
from vmrescue.registry.key import Key, Value
from vmrescue.registry.recovery import Applied, Recovered, recover
from vmrescue.registry.reg_file import export_reg, import_reg, parse_reg
from vmrescue.registry.state import HiveState, hive_state
from vmrescue.registry.value_type import ValueType

__all__ = [
    "Applied",
    "Hive",
    "HiveState",
    "Key",
    "KeyNotFound",
    "Problem",
    "Recovered",
    "RecoveryError",
    "Value",
    "ValueNotFound",
    "ValueType",
    "export_reg",
    "hive_state",
    "import_reg",
    "parse_reg",
    "recover",
]
