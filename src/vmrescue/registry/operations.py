"""The four operations on a hive's keys and values, as plain data, and the function that makes them.

Plans, `bcdedit`, `reg` and `.reg` files are all made of these. Paths are spelled as in `registry.path`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.registry.errors import KeyNotFound, ValueNotFound

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmrescue.registry.hive import Hive


@dataclass(frozen=True)
class CreateKey:
    """Creates the key at `path` and missing keys above it; does nothing if it exists."""

    path: str


@dataclass(frozen=True)
class DeleteKey:
    """Deletes the key at `path` with all keys below it; does nothing if it does not exist."""

    path: str


@dataclass(frozen=True)
class SetValue:
    """Sets the value `name` of the key at `path` to this type (REG_SZ = 1 …) and these bytes; creates missing keys."""

    path: str
    name: str
    type: int
    raw: bytes


@dataclass(frozen=True)
class DeleteValue:
    """Deletes the value `name` of the key at `path`; does nothing if it does not exist."""

    path: str
    name: str


Operation = CreateKey | DeleteKey | SetValue | DeleteValue


def make(hive: Hive, operations: Iterable[Operation]) -> None:
    """Makes the operations in their order. Raises RefusedError, UsageError or LinkError as the editor does."""
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
