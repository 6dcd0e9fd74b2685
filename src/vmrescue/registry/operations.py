"""What can be done to what is in a hive: four operations, as plain data, and how each is done.

Plans, `bcdedit`, `reg` and `.reg` files all come down to these. Paths are as `registry.path` spells them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmrescue.registry.errors import KeyNotFound, ValueNotFound

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmrescue.registry.hive import Hive


@dataclass(frozen=True, slots=True)
class CreateKey:
    """The key at `path` is made, with those above it that are missing, unless it is there."""

    path: str


@dataclass(frozen=True, slots=True)
class DeleteKey:
    """The key at `path` goes, with all below it, if it is there."""

    path: str


@dataclass(frozen=True, slots=True)
class SetValue:
    """The value `name` of the key at `path` gets this type (REG_SZ = 1 …) and these bytes; missing keys are made."""

    path: str
    name: str
    type: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class DeleteValue:
    """The value `name` of the key at `path` goes, if it is there."""

    path: str
    name: str


Operation = CreateKey | DeleteKey | SetValue | DeleteValue


def make(hive: Hive, operations: Iterable[Operation]) -> None:
    """Does them in their order. Raises RefusedError, UsageError or LinkError as the editor does."""
    for operation in operations:
        _make(hive, operation)


def _make(hive: Hive, operation: Operation) -> None:
    match operation:
        case CreateKey(path):
            hive.create_key(path)
        case SetValue(path, name, kind, raw):
            hive.create_key(path)
            hive.set_value(path, name, kind, raw)
        case DeleteKey(path):
            try:
                hive.delete_key(path, recursive=True)
            except KeyNotFound:
                return
        case DeleteValue(path, name):
            try:
                hive.delete_value(path, name)
            except ValueNotFound:
                return
