"""What the checks of the boot store share: names for its objects, and edits of its elements as changes to its hive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.bcd import element_key, object_key
from vmrescue.plan import DeleteKey, RegistryData, SetValue

if TYPE_CHECKING:
    from uuid import UUID

    from vmrescue.bcd import BcdObject, Element
    from vmrescue.plan import Change
    from vmrescue.windows import Installation

ELEMENT_VALUE = "Element"  # the value of an element's key that holds its data


def object_name(entry: BcdObject) -> str:
    """``{badmemory}``, or the GUID in braces where the object has no alias."""
    return entry.alias or f"{{{entry.guid}}}"


def text_of(element: Element) -> str:
    """An element's value for a person, short."""
    if isinstance(element.value, list):
        shown = " ".join(f"0x{item:x}" if isinstance(item, int) else str(item) for item in element.value[:8])
        return shown + (f" … ({len(element.value)} in all)" if len(element.value) > 8 else "")
    return f"0x{element.value:x}" if isinstance(element.value, int) else str(element.value)


def delete_element(installation: Installation, entry: BcdObject, element: Element) -> Change:
    """The change that deletes an element: its key, with the value in it."""
    key = element_key(entry.guid, element.id)
    return DeleteKey(installation.boot.hive.ref, key, {ELEMENT_VALUE: RegistryData(*_stored(installation, key))})


def _stored(installation: Installation, key: str) -> tuple[int, bytes]:
    found = installation.boot.hive.data(key, ELEMENT_VALUE)
    assert found is not None, "an element that was read has its value"
    return found.type, found.raw


def set_element(installation: Installation, guid: UUID, number: int, raw: bytes) -> Change:
    """The change that gives an element of binary format (integer, boolean) these bytes."""
    key = element_key(guid, number)
    found = installation.boot.hive.data(key, ELEMENT_VALUE)
    return SetValue(installation.boot.hive.ref, key, ELEMENT_VALUE, found, RegistryData.binary(raw))


def create_object(installation: Installation, guid: UUID, object_type: int) -> Change:
    """The change that creates an object of a type, without elements."""
    key = f"{object_key(guid)}\\Description"
    return SetValue(installation.boot.hive.ref, key, "Type", None, RegistryData.dword(object_type))
