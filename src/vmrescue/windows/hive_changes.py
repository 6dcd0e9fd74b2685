"""Turns operations on a hive into changes of a plan; the reader's present value becomes the change's `before`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.plan import CreateKey, DeleteKey, DeleteValue, RegistryData, SetValue
from vmrescue.registry import operations

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmrescue.plan import Change
    from vmrescue.registry.operations import Operation
    from vmrescue.windows.registry_file import RegistryFile


def set_value(hive: RegistryFile, key: str, name: str, data: RegistryData) -> Change:
    """The change that sets a value to this type and data."""
    return SetValue(hive.ref, key, name, hive.data(key, name), data)


def hive_changes(hive: RegistryFile, wanted: Iterable[Operation]) -> list[Change]:
    """The changes for these operations, one for each. Operations that change nothing are left out."""
    return [change for operation in wanted if (change := _change(hive, operation))]


def _change(hive: RegistryFile, operation: Operation) -> Change | None:
    match operation:
        case operations.SetValue(path, name, kind, raw):
            before, after = hive.data(path, name), RegistryData(kind, raw)
            return None if before == after else SetValue(hive.ref, path, name, before, after)
        case operations.DeleteValue(path, name):
            found = hive.data(path, name)
            return None if found is None else DeleteValue(hive.ref, path, name, found)
        case operations.CreateKey(path):
            return None if hive.stored_key(path) else CreateKey(hive.ref, path)
        case operations.DeleteKey(path):
            key = hive.stored_key(path)
            return DeleteKey(hive.ref, path, key.values()) if key else None
