"""Changes as documents: each kind by its name, as JSON-ready data and back."""

from __future__ import annotations

import base64
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from vmrescue.arguments import typed
from vmrescue.digests import sha256
from vmrescue.errors import UsageError
from vmrescue.near import meant
from vmrescue.plan import schema
from vmrescue.plan.change import Change, FileRef
from vmrescue.plan.file_changes import DeleteFile, MakeFolder, PutFile, RenameFile, SetAttributes
from vmrescue.plan.hive_changes import CreateKey, DeleteKey, DeleteValue, ReplayLog, SetValue
from vmrescue.plan.layout_changes import (
    ExpandDisk,
    ExpandVolume,
    MovePartition,
    RestorePartitionTable,
    SetActive,
    SetPartitionType,
)
from vmrescue.plan.registry_data import RegistryData
from vmrescue.plan.volume_changes import ReplayVolumeLog, RestoreBootSector, SetHiddenSectors, WriteBootCopy

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS: dict[str, type[Change]] = {
    kind.kind: kind
    for kind in (
        SetValue,
        DeleteValue,
        CreateKey,
        DeleteKey,
        ReplayLog,
        DeleteFile,
        PutFile,
        RenameFile,
        MakeFolder,
        SetAttributes,
        ReplayVolumeLog,
        WriteBootCopy,
        RestoreBootSector,
        ExpandDisk,
        ExpandVolume,
        MovePartition,
        SetActive,
        SetHiddenSectors,
        SetPartitionType,
        RestorePartitionTable,
    )
}


@typed
def change_to_dict(change: Change, content: bool = True) -> dict[str, Any]:
    """A change as JSON-ready data; without `content`, a file's is told by its size and hash."""
    document: dict[str, Any] = {"kind": change.kind}
    for field in fields(change):
        value = getattr(change, field.name)
        if isinstance(value, bytes) and not content:
            document |= {"bytes": len(value), "sha256": sha256([value])}
        else:
            document[field.name] = _plain(value)
    return document


def _plain(value: object) -> object:
    if isinstance(value, RegistryData):
        return value.to_dict()
    if isinstance(value, FileRef):
        return asdict(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value


def _file(value: Any) -> FileRef:
    place = schema.only(value, {"disk", "partition", "path"})
    return FileRef(schema.number(place["disk"]), schema.number(place["partition"]), schema.file_path(place["path"]))


def _values(value: Any) -> dict[str, RegistryData]:
    return {schema.value_name(name): RegistryData.from_dict(item) for name, item in value.items()}


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "FileRef": _file,
    "str": schema.text,
    "str | None": lambda value: None if value is None else schema.text(value),
    "int": schema.number,
    "bytes": schema.data,
    "RegistryData": RegistryData.from_dict,
    "RegistryData | None": lambda value: None if value is None else RegistryData.from_dict(value),
    "dict[str, RegistryData]": _values,
}
_BY_NAME: dict[str, Callable[[Any], Any]] = {
    "key": schema.key_path,
    "name": schema.value_name,
}  # fields that are more than their type says


@typed
def change_from_dict(document: dict[str, Any]) -> Change:
    """The change that `change_to_dict` described. Raises UsageError where the document is not of its schema."""
    try:
        name = schema.text(schema.fields(document, "kind")["kind"])
        if name not in KINDS:
            raise ValueError(f"there is no kind of change {name!r:.40}{meant(name, KINDS)}")
        kind = KINDS[name]
        declared = {field.name: str(field.type) for field in fields(kind)}
        schema.only(document, {"kind", *declared})
        decoders = {name: _BY_NAME.get(name) or _DECODERS[type_] for name, type_ in declared.items()}
        change: Change = kind(**{name: decode(document[name]) for name, decode in decoders.items()})
    except (TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"not a change: {str(error)[:160]} in {document!r:.120}") from error
    return change
