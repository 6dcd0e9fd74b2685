"""Plans: what is to be changed, as plain data that can be reviewed, stored and applied later. No deed in here."""

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
    MovePartition,
    PutFile,
    ReplayLog,
    ReplayVolumeLog,
    SetValue,
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
    "ImageIdentity",
    "MovePartition",
    "Plan",
    "PutFile",
    "RegistryData",
    "ReplayLog",
    "ReplayVolumeLog",
    "SetValue",
    "Step",
    "WriteBootCopy",
    "change_from_dict",
    "change_to_dict",
]
