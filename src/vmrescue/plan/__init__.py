"""Plans: what is to be changed, as plain data that can be reviewed, stored and applied later. Nothing here acts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.lazy import names_of

if TYPE_CHECKING:
    from vmrescue.plan.change import Change, FileRef, Needs, Stage
    from vmrescue.plan.change_document import change_from_dict, change_to_dict
    from vmrescue.plan.file_changes import DeleteFile, MakeFolder, PutFile, RenameFile, SetAttributes
    from vmrescue.plan.hive_changes import CreateKey, DeleteKey, DeleteValue, HiveChange, ReplayLog, SetValue
    from vmrescue.plan.layout_changes import (
        ExpandDisk,
        ExpandVolume,
        MovePartition,
        RestorePartitionTable,
        SetActive,
        SetPartitionType,
    )
    from vmrescue.plan.plan import ImageIdentity, Plan, PlaybookId, Step
    from vmrescue.plan.registry_data import RegistryData
    from vmrescue.plan.volume_changes import ReplayVolumeLog, RestoreBootSector, SetHiddenSectors, WriteBootCopy

__all__ = [
    "Change",
    "CreateKey",
    "DeleteFile",
    "DeleteKey",
    "DeleteValue",
    "ExpandDisk",
    "ExpandVolume",
    "FileRef",
    "HiveChange",
    "ImageIdentity",
    "MovePartition",
    "MakeFolder",
    "Needs",
    "Plan",
    "PlaybookId",
    "PutFile",
    "RegistryData",
    "RenameFile",
    "ReplayLog",
    "ReplayVolumeLog",
    "SetValue",
    "Stage",
    "Step",
    "RestoreBootSector",
    "RestorePartitionTable",
    "SetActive",
    "SetAttributes",
    "SetHiddenSectors",
    "SetPartitionType",
    "WriteBootCopy",
    "change_from_dict",
    "change_to_dict",
]

__getattr__ = names_of(
    __name__,
    {
        "Change": "change",
        "CreateKey": "hive_changes",
        "DeleteFile": "file_changes",
        "DeleteKey": "hive_changes",
        "DeleteValue": "hive_changes",
        "ExpandDisk": "layout_changes",
        "ExpandVolume": "layout_changes",
        "FileRef": "change",
        "HiveChange": "hive_changes",
        "ImageIdentity": "plan",
        "MakeFolder": "file_changes",
        "MovePartition": "layout_changes",
        "Needs": "change",
        "Plan": "plan",
        "PlaybookId": "plan",
        "PutFile": "file_changes",
        "RegistryData": "registry_data",
        "RenameFile": "file_changes",
        "ReplayLog": "hive_changes",
        "ReplayVolumeLog": "volume_changes",
        "RestoreBootSector": "volume_changes",
        "RestorePartitionTable": "layout_changes",
        "SetActive": "layout_changes",
        "SetAttributes": "file_changes",
        "SetHiddenSectors": "volume_changes",
        "SetPartitionType": "layout_changes",
        "SetValue": "hive_changes",
        "Stage": "change",
        "Step": "plan",
        "WriteBootCopy": "volume_changes",
        "change_from_dict": "change_document",
        "change_to_dict": "change_document",
    },
)
