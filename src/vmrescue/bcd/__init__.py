"""Boot configuration data, kept in a registry hive. `Store` reads it; `edits` turns changes into hive operations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.lazy import names_of

if TYPE_CHECKING:
    from vmrescue.bcd.device import Boot, Device, Partition, Style
    from vmrescue.bcd.elements import ElementType, Format, element_by_id, element_by_name
    from vmrescue.bcd.hive_reader import KeyReader
    from vmrescue.bcd.objects import ObjectType
    from vmrescue.bcd.store import BcdObject, Element, Store

__all__ = [
    "Store",
    "BcdObject",
    "Element",
    "ElementType",
    "Format",
    "ObjectType",
    "Device",
    "Boot",
    "Partition",
    "Style",
    "KeyReader",
    "element_by_id",
    "element_by_name",
]

__getattr__ = names_of(
    __name__,
    {
        "BcdObject": "store",
        "Boot": "device",
        "Device": "device",
        "Element": "store",
        "ElementType": "elements",
        "Format": "elements",
        "KeyReader": "hive_reader",
        "ObjectType": "objects",
        "Partition": "device",
        "Store": "store",
        "Style": "device",
        "element_by_id": "elements",
        "element_by_name": "elements",
    },
)
