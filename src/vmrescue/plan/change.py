"""Changes: one edit each, as plain data. Nothing here changes an image.

A change says what is to be edited, what was found there (`before`) and what is to be there (`after`). Whoever applies
it first checks that what was found is still so. To add a kind of change: a frozen dataclass with a `kind`, listed in
`KINDS`; `transaction.deeds` holds the deed, and the look through the readers.
"""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, fields
from enum import Enum, IntEnum
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

from vmrescue.digests import sha256
from vmrescue.errors import UsageError
from vmrescue.plan import schema
from vmrescue.plan.registry_data import RegistryData
from vmrescue.registry import operations
from vmrescue.units import size_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmrescue.registry.operations import Operation

SHOWN_VALUES = 8  # of a key that has many, for people


@dataclass(frozen=True)
class FileRef:
    """A file: which disk (0 the image itself, then the data disks in order), which partition, which path.

    `partition` is the number in the disk's table, counted from 1; 1 for a bare volume; 0 where the image is itself the
    file, a bare hive. `path` uses backslashes and starts at the volume's root, without a leading one. Without a path it
    is the whole partition, or (0) the whole disk.
    """

    disk: int
    partition: int
    path: str

    def __str__(self) -> str:
        if not self.partition:
            return self.path or ("the disk" if self.disk == 0 else f"data disk {self.disk}")
        where = (
            f"partition {self.partition}" if self.disk == 0 else f"data disk {self.disk}, partition {self.partition}"
        )
        return f"\\{self.path} on {where}" if self.path else where


class Needs(Enum):
    """What a change needs of the place where it is made."""

    NOTHING = "the volume may be in any state"
    CONTENT = "files of the volume may get other bytes where they have their own"
    METADATA = "files of the volume may be created, deleted and resized"
    CONTAINER = "the disk may get longer, and its partition table be changed"


class Stage(IntEnum):
    """When a change is made: what readers and editors see of a disk or a volume as a whole comes before its files."""

    LAYOUT = 1
    LOG = 2
    FILES = 3


@dataclass(frozen=True)
class Change(ABC):
    """What all kinds of changes have in common. `before` and `after`, where a kind has them, are told by their type."""

    kind: ClassVar[str]
    needs: ClassVar[Needs] = Needs.METADATA
    stage: ClassVar[Stage] = Stage.FILES
    file: FileRef

    @property
    @abstractmethod
    def title(self) -> str:
        """What it does, in a line without data."""

    @property
    def before_text(self) -> str:
        """What was found, for a person."""
        return _told(getattr(self, "before", None))

    @property
    def after_text(self) -> str:
        """What will be there, for a person."""
        return _told(getattr(self, "after", None))


def _told(value: object) -> str:
    """A value for a person; a number is of bytes."""
    if value is None:
        return "(absent)"
    return f"{value} bytes ({size_text(value)})" if isinstance(value, int) else str(value)


def values_text(values: dict[str, RegistryData]) -> str:
    """A key's values for a person; of many, the first."""
    shown = [f"{name or '(default)'} = {data}" for name, data in islice(values.items(), SHOWN_VALUES)]
    more = [f"… ({len(values)} values)"] if len(values) > SHOWN_VALUES else []
    return "; ".join([*shown, *more]) or "(no values)"


@dataclass(frozen=True)
class HiveChange(Change):
    """A change of what is in a hive; all those of one hive are made in one go."""

    needs = Needs.CONTENT

    @property
    def operation(self) -> Operation | None:
        """What it does to the hive; None where that is only the replay of its logs, which any edit begins with."""
        return None


@dataclass(frozen=True)
class SetValue(HiveChange):
    """Set a value in a hive, creating its key where it is missing. `before` is None where there was no such value."""

    kind = "set-value"
    key: str
    name: str
    before: RegistryData | None
    after: RegistryData

    @property
    def operation(self) -> Operation:
        return operations.SetValue(self.key, self.name, self.after.type, self.after.raw)

    @property
    def title(self) -> str:
        return f"set {self.key}\\{self.name}"


@dataclass(frozen=True)
class DeleteValue(HiveChange):
    """Delete a value from a hive."""

    kind = "delete-value"
    key: str
    name: str
    before: RegistryData

    @property
    def operation(self) -> Operation:
        return operations.DeleteValue(self.key, self.name)

    @property
    def title(self) -> str:
        return f"delete the value {self.key}\\{self.name}"


@dataclass(frozen=True)
class CreateKey(HiveChange):
    """Create a key, and those above it that are missing."""

    kind = "create-key"
    key: str

    @property
    def operation(self) -> Operation:
        return operations.CreateKey(self.key)

    @property
    def title(self) -> str:
        return f"create the key {self.key}"

    @property
    def after_text(self) -> str:
        return "(an empty key)"


@dataclass(frozen=True)
class DeleteKey(HiveChange):
    """Delete a key with all that is below it. `before` holds the values of the key itself, by name."""

    kind = "delete-key"
    key: str
    before: dict[str, RegistryData]

    @property
    def operation(self) -> Operation:
        return operations.DeleteKey(self.key)

    @property
    def title(self) -> str:
        return f"delete the key {self.key}"

    @property
    def before_text(self) -> str:
        return values_text(self.before)


@dataclass(frozen=True)
class ReplayLog(HiveChange):
    """Replay a dirty hive's transaction logs into it, as Windows would at its next load."""

    kind = "replay-log"
    reason: str

    @property
    def title(self) -> str:
        return "replay the hive's transaction logs"

    @property
    def before_text(self) -> str:
        return f"dirty: {self.reason}"

    @property
    def after_text(self) -> str:
        return "clean"


@dataclass(frozen=True)
class ReplayVolumeLog(Change):
    """Replay the log of an NTFS volume, as Windows would at its next mount. `file` is the volume's ``$LogFile``."""

    kind = "replay-volume-log"
    needs = Needs.NOTHING
    stage = Stage.LOG
    reason: str

    @property
    def title(self) -> str:
        return "replay the volume's log"

    @property
    def before_text(self) -> str:
        return self.reason

    @property
    def after_text(self) -> str:
        return "nothing to replay"


@dataclass(frozen=True)
class WriteBootCopy(Change):
    """Put the copy of an NTFS volume's boot sector behind it. `file` is ``$Boot``; `position` a byte of the volume."""

    kind = "write-boot-copy"
    position: int

    @property
    def title(self) -> str:
        return "write the copy of the boot sector"

    @property
    def before_text(self) -> str:
        return f"none at byte {self.position} of the volume"

    @property
    def after_text(self) -> str:
        return "as the boot sector"


@dataclass(frozen=True)
class RestoreBootSector(Change):
    """Put the copy of an NTFS volume's boot sector in the place of the first one. `file` has no path.

    `before` is the SHA-256 of the first sector, `after` that of the copy.
    """

    kind = "restore-boot-sector"
    needs = Needs.NOTHING
    stage = Stage.LAYOUT
    before: str
    after: str

    @property
    def title(self) -> str:
        return "write the boot sector from its copy"

    @property
    def before_text(self) -> str:
        return f"SHA-256 {self.before}"

    @property
    def after_text(self) -> str:
        return f"SHA-256 {self.after}"


@dataclass(frozen=True)
class DeleteFile(Change):
    """Delete a file of `size` bytes."""

    kind = "delete-file"
    size: int

    @property
    def title(self) -> str:
        return f"delete \\{self.file.path}"

    @property
    def before_text(self) -> str:
        return _told(self.size)


@dataclass(frozen=True)
class PutFile(Change):
    """Give a file this content, creating it where it is missing. `before` is the SHA-256 of what was there, or None."""

    kind = "put-file"
    before: str | None
    data: bytes

    @property
    def title(self) -> str:
        return f"write \\{self.file.path}"

    @property
    def before_text(self) -> str:
        return f"SHA-256 {self.before}" if self.before else "(absent)"

    @property
    def after_text(self) -> str:
        return f"{len(self.data)} bytes, SHA-256 {sha256([self.data])}"


@dataclass(frozen=True)
class ExpandDisk(Change):
    """Make a disk longer, its container and its partition table; sizes are in bytes. `file` has no path."""

    kind = "expand-disk"
    needs = Needs.CONTAINER
    stage = Stage.LAYOUT
    before: int
    after: int

    @property
    def title(self) -> str:
        return "make the disk longer"


@dataclass(frozen=True)
class ExpandVolume(Change):
    """Make a partition longer, and the NTFS volume in it; sizes are the partition's, in bytes. `file` has no path.

    Where both are the same, the volume alone is made longer: as long as its partition is.
    """

    kind = "expand-volume"
    stage = Stage.LAYOUT
    before: int
    after: int

    @property
    def title(self) -> str:
        return "make the partition and its volume longer"


@dataclass(frozen=True)
class MovePartition(Change):
    """Move a partition, with all that is in it, to another place; bytes of the disk. `file` has no path."""

    kind = "move-partition"
    needs = Needs.CONTAINER
    stage = Stage.LAYOUT
    before: int
    after: int

    @property
    def title(self) -> str:
        return "move the partition"

    @property
    def before_text(self) -> str:
        return f"at byte {self.before}"

    @property
    def after_text(self) -> str:
        return f"at byte {self.after}"


@dataclass(frozen=True)
class SetActive(Change):
    """Make one partition of an MBR the active one, from which a BIOS starts.

    `file` has no path; `before` names the partitions that are active, by their numbers, and `after` is the one that is
    to be.
    """

    kind = "set-active"
    needs = Needs.CONTAINER
    stage = Stage.LAYOUT
    before: str
    after: int

    @property
    def title(self) -> str:
        return f"make partition {self.after} the active one"

    @property
    def before_text(self) -> str:
        return f"active: {self.before}"

    @property
    def after_text(self) -> str:
        return f"active: {self.after}"


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
        ReplayVolumeLog,
        WriteBootCopy,
        RestoreBootSector,
        ExpandDisk,
        ExpandVolume,
        MovePartition,
        SetActive,
    )
}


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


def change_from_dict(document: dict[str, Any]) -> Change:
    """The change that `change_to_dict` described. Raises UsageError where the document is not of its schema."""
    try:
        kind = KINDS[document["kind"]]
        declared = {field.name: str(field.type) for field in fields(kind)}
        schema.only(document, {"kind", *declared})
        decoders = {name: _BY_NAME.get(name) or _DECODERS[type_] for name, type_ in declared.items()}
        change: Change = kind(**{name: decode(document[name]) for name, decode in decoders.items()})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"the plan holds something that is not a change: {_shown(error)} in {document!r:.120}"
        ) from error
    return change


def _shown(error: Exception) -> str:
    """An exception's message in a few words; a missing field's name for a KeyError."""
    return f"no field {error}" if isinstance(error, KeyError) else f"{error}"[:120]
