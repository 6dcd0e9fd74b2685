"""Edits of a hive as changes of a plan: what its reader sees there now becomes the change's `before`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.bcd import edits
from vmrescue.plan import CreateKey, DeleteKey, RegistryData, SetValue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmrescue.plan import Change
    from vmrescue.windows.registry_file import RegistryFile


def set_value(hive: RegistryFile, key: str, name: str, data: RegistryData) -> Change:
    """The change that gives a value this type and data."""
    return SetValue(hive.ref, key, name, hive.data(key, name), data)


def boot_changes(hive: RegistryFile, wanted: Iterable[edits.Edit]) -> list[Change]:
    """The changes that make these edits of a boot store. An edit that changes nothing is left out."""
    return [change for edit in wanted if (change := _change(hive, edit))]


def _change(hive: RegistryFile, edit: edits.Edit) -> Change | None:
    if isinstance(edit, edits.SetValue):
        change = set_value(hive, edit.path, edit.name, RegistryData(edit.type, edit.data))
        return None if isinstance(change, SetValue) and change.before == change.after else change
    key = hive.stored_key(edit.path)
    if isinstance(edit, edits.CreateKey):
        return None if key else CreateKey(hive.ref, edit.path)
    return DeleteKey(hive.ref, edit.path, key.values()) if key else None
