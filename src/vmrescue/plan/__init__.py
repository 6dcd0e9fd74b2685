"""Plans: what is to be changed, as plain data that can be reviewed, stored and applied later. Nothing here acts."""

from __future__ import annotations

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
