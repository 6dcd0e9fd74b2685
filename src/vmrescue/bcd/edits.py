"""Changes to a store as edits of its hive, as plain data: nothing here writes.

Paths are relative to the hive's root. Whoever applies the edits creates the keys on the way to a value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmrescue.bcd.objects import ObjectType, braced
from vmrescue.bcd.values import REG_DWORD, Value, encode_value

if TYPE_CHECKING:
    from uuid import UUID

    from vmrescue.bcd.elements import Format


@dataclass(frozen=True)
class SetValue:
    """Give the value `name` of the key at `path` this type (REG_SZ = 1 …) and these bytes; create missing keys."""

    path: str
    name: str
    type: int
    data: bytes


@dataclass(frozen=True)
class CreateKey:
    """Create the key at `path`, unless it is there."""

    path: str


@dataclass(frozen=True)
class DeleteKey:
    """Delete the key at `path`, with all below it."""

    path: str


Edit = SetValue | CreateKey | DeleteKey


def object_path(guid: UUID) -> str:
    """``Objects\\{guid}``"""
    return f"Objects\\{braced(guid)}"


def element_path(guid: UUID, identifier: int) -> str:
    """``Objects\\{guid}\\Elements\\xxxxxxxx``"""
    return f"{object_path(guid)}\\Elements\\{identifier:08x}"


def set_element(guid: UUID, identifier: int, value_format: Format, value: Value) -> SetValue:
    """Gives an object's element a value. Raises UsageError for a value that is not of the format."""
    return SetValue(element_path(guid, identifier), "Element", *encode_value(value_format, value))


def delete_element(guid: UUID, identifier: int) -> DeleteKey:
    """Takes an element away from an object."""
    return DeleteKey(element_path(guid, identifier))


def create_object(guid: UUID, object_type: ObjectType) -> list[Edit]:
    """A new object of this type, with no elements."""
    kind = object_type.value.to_bytes(4, "little")
    return [
        SetValue(f"{object_path(guid)}\\Description", "Type", REG_DWORD, kind),
        CreateKey(f"{object_path(guid)}\\Elements"),
    ]


def delete_object(guid: UUID) -> DeleteKey:
    """Takes an object away, with its elements."""
    return DeleteKey(object_path(guid))
