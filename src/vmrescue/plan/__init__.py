"""Plans: what is to be changed, as plain data that can be reviewed, stored and applied later. Nothing here acts."""

from __future__ import annotations

from vmrescue.plan.change import (
    Change,
    CreateKey,
    DeleteFile,
    DeleteKey,
    DeleteValue,
    ExpandDisk,
    ExpandVolume,
    FileRef,
    HiveChange,
    MovePartition,
    Needs,
    PutFile,
    ReplayLog,
    ReplayVolumeLog,
    RestoreBootSector,
    SetActive,
    SetValue,
    Stage,
    WriteBootCopy,
    change_from_dict,
    change_to_dict,
)
from vmrescue.plan.plan import ImageIdentity, Plan, Step
from vmrescue.plan.registry_data import RegistryData

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
    "Needs",
    "Plan",
    "PutFile",
    "RegistryData",
    "ReplayLog",
    "ReplayVolumeLog",
    "SetValue",
    "Stage",
    "Step",
    "RestoreBootSector",
    "SetActive",
    "WriteBootCopy",
    "change_from_dict",
    "change_to_dict",
]
