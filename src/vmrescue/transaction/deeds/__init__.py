"""A deed per kind of change: how it is made, how it is seen to be made, what is copied out before.

To add a kind of change: its data in `plan.change`, its deed in a module here, and a row in `DEEDS`. Editors that few
plans need are imported where a deed uses them.
"""

from __future__ import annotations

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
from vmrescue.transaction.deeds import (
    active_partition,
    boot_copy,
    boot_sector,
    hidden_sectors,
    hive,
    partition_table,
    partition_type,
    volume_log,
)
from vmrescue.transaction.deeds.files import ATTRIBUTES, DELETE, FOLDER, PUT, RENAME
from vmrescue.transaction.deeds.layout import LAYOUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vmrescue.plan import Change
    from vmrescue.transaction.deeds.deed import Deed

DEEDS: dict[type[Change], Deed] = {
    **dict.fromkeys((SetValue, DeleteValue, CreateKey, DeleteKey, ReplayLog), hive.DEED),
    DeleteFile: DELETE,
    PutFile: PUT,
    RenameFile: RENAME,
    MakeFolder: FOLDER,
    SetAttributes: ATTRIBUTES,
    ReplayVolumeLog: volume_log.DEED,
    WriteBootCopy: boot_copy.DEED,
    SetActive: active_partition.DEED,
    RestoreBootSector: boot_sector.DEED,
    SetHiddenSectors: hidden_sectors.DEED,
    SetPartitionType: partition_type.DEED,
    RestorePartitionTable: partition_table.DEED,
    **dict.fromkeys((ExpandDisk, MovePartition, ExpandVolume), LAYOUT),
}


def deed_of(changes: Sequence[Change]) -> Deed:
    """The deed that makes all changes of one file. Raises RefusedError where they are not to be made together."""
    deeds = {DEEDS[type(change)] for change in changes}
    deed = DEEDS[type(changes[0])]
    if len(deeds) > 1 or (deed.whole and len(changes) > 1):
        raise RefusedError(f"the plan changes {changes[0].file} as a whole and does something else to it too")
    return deed
