"""Boot configuration data, kept in a registry hive. `Store` reads it; `edits` turns changes into hive operations."""

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
