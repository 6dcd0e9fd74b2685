"""Changes of a store, expressed as operations on its hive. Operations are plain data; nothing here writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.bcd.objects import ObjectType, braced
from vmrescue.bcd.values import Value, encode_value
from vmrescue.registry.operations import CreateKey, DeleteKey, SetValue
from vmrescue.registry.value_type import ValueType

if TYPE_CHECKING:
    from uuid import UUID

    from vmrescue.bcd.elements import Format
    from vmrescue.registry.operations import Operation


def object_path(guid: UUID) -> str:
    """``Objects\\{guid}``"""
    return f"Objects\\{braced(guid)}"


def element_path(guid: UUID, identifier: int) -> str:
    """``Objects\\{guid}\\Elements\\xxxxxxxx``"""
    return f"{object_path(guid)}\\Elements\\{identifier:08x}"


def set_element(guid: UUID, identifier: int, value_format: Format, value: Value) -> SetValue:
    """Sets an element of an object. Raises UsageError if `value` is not of the element's format."""
    return SetValue(element_path(guid, identifier), "Element", *encode_value(value_format, value))


def delete_element(guid: UUID, identifier: int) -> DeleteKey:
    """Deletes an element of an object."""
    return DeleteKey(element_path(guid, identifier))


def create_object(guid: UUID, object_type: ObjectType) -> list[Operation]:
    """A new object of this type, with no elements."""
    kind = object_type.value.to_bytes(4, "little")
    return [
        SetValue(f"{object_path(guid)}\\Description", "Type", ValueType.DWORD, kind),
        CreateKey(f"{object_path(guid)}\\Elements"),
    ]


def delete_object(guid: UUID) -> DeleteKey:
    """Deletes an object with its elements."""
    return DeleteKey(object_path(guid))
