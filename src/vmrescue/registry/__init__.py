"""Registry hives: reading, editing, recovery from their logs, checks. See `hive.Hive`.

The names below are imported when they are first used: a diagnosis of a clean hive needs no editor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.lazy import names_of

if TYPE_CHECKING:
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

_MODULES = {
    "Problem": "check",
    "KeyNotFound": "errors",
    "RecoveryError": "errors",
    "ValueNotFound": "errors",
    "Hive": "hive",
    "Key": "key",
    "Value": "key",
    "Applied": "recovery",
    "Recovered": "recovery",
    "recover": "recovery",
    "export_reg": "reg_file",
    "import_reg": "reg_file",
    "parse_reg": "reg_file",
    "HiveState": "state",
    "hive_state": "state",
    "ValueType": "value_type",
}

__getattr__ = names_of(__name__, _MODULES)
