"""A deed for each kind of change: how it is made, how it is confirmed, what is backed up before.

To add a kind of change: its data in `plan.change`, its deed in a module here, and a row in `DEEDS`. A deed's module is
imported where a plan has such a change.
"""

from __future__ import annotations

import importlib
from functools import partial
from typing import TYPE_CHECKING

from vmrescue.errors import RefusedError
from vmrescue.plan import (
    CreateKey,
    DeleteFile,
    DeleteKey,
    DeleteValue,
    ExpandDisk,
    ExpandVolume,
    MakeFolder,
    MovePartition,
    PutFile,
    RenameFile,
    ReplayLog,
    ReplayVolumeLog,
    RestoreBootSector,
    RestorePartitionTable,
    SetActive,
    SetAttributes,
    SetHiddenSectors,
    SetPartitionType,
    SetValue,
    WriteBootCopy,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vmrescue.plan import Change
    from vmrescue.transaction.deeds.deed import Deed


def _deed(module: str, name: str = "DEED") -> Deed:
    deed: Deed = getattr(importlib.import_module(f"{__name__}.{module}"), name)
    return deed


DEEDS: dict[type[Change], Callable[[], Deed]] = {
    **dict.fromkeys((SetValue, DeleteValue, CreateKey, DeleteKey, ReplayLog), partial(_deed, "hive")),
    DeleteFile: partial(_deed, "files", "DELETE"),
    PutFile: partial(_deed, "files", "PUT"),
    RenameFile: partial(_deed, "files", "RENAME"),
    MakeFolder: partial(_deed, "files", "FOLDER"),
    SetAttributes: partial(_deed, "files", "ATTRIBUTES"),
    ReplayVolumeLog: partial(_deed, "volume_log"),
    WriteBootCopy: partial(_deed, "boot_copy"),
    SetActive: partial(_deed, "active_partition"),
    RestoreBootSector: partial(_deed, "boot_sector"),
    SetHiddenSectors: partial(_deed, "hidden_sectors"),
    SetPartitionType: partial(_deed, "partition_type"),
    RestorePartitionTable: partial(_deed, "partition_table"),
    **dict.fromkeys((ExpandDisk, MovePartition, ExpandVolume), partial(_deed, "layout")),
}


def deed_of(changes: Sequence[Change]) -> Deed:
    """The deed that makes all changes of one file. Raises RefusedError where they are not to be made together."""
    deeds = {DEEDS[type(change)] for change in changes}
    deed = DEEDS[type(changes[0])]()
    if len(deeds) > 1 or (deed.whole and len(changes) > 1):
        raise RefusedError(f"the plan changes {changes[0].file} as a whole and does something else to it too")
    return deed
