"""bcdedit's name for a key of a store's hive, worked out from its path alone: for people who read a plan."""

from __future__ import annotations

import re
from uuid import UUID

from vmrescue.bcd.device import Device
from vmrescue.bcd.elements import Format, format_of, name_of
from vmrescue.bcd.objects import BY_GUID, ObjectType, identifier_of
from vmrescue.bcd.values import decode_value
from vmrescue.dataclass import dataclass
from vmrescue.errors import FormatError

ELEMENT = re.compile(
    r"Objects\\\{(?P<object>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\}\\Elements\\(?P<id>[0-9a-f]{8})",
    re.IGNORECASE,
)
OS_LOADER = ObjectType(0x10200003)  # assumed for an object without a well-known GUID: most are loaders
DEVICE, OF_DEVICES = (
    ObjectType(0x30000000),
    3,
)  # the class of elements that only options of a device have (bits 28 to 31)


@dataclass(frozen=True)
class ElementKey:
    """The key of one element of one object; `object` is an alias or a GUID, in braces."""

    object: str
    name: str
    format: Format | None

    @classmethod
    def of(cls, path: str) -> ElementKey | None:
        """The element whose key is at `path` in the hive; None if it is not the key of an element."""
        match = ELEMENT.fullmatch(path)
        if match is None:
            return None
        guid, identifier = UUID(match["object"]), int(match["id"], 16)
        known = BY_GUID.get(guid)
        assumed = DEVICE if identifier >> 28 == OF_DEVICES else OS_LOADER
        return cls(identifier_of(guid), name_of(known.type if known else assumed, identifier), format_of(identifier))

    def value_text(self, raw: bytes) -> str | None:
        """The value as short text (``Yes``, ``115200``, ``0x3 0x4``, ``boot``); None if it has none or is damaged."""
        try:
            value = decode_value(self.format, raw)
        except FormatError:
            return None
        match self.format, value:
            case Format.BOOLEAN, bool():
                return "Yes" if value else "No"
            case Format.INTEGER_LIST, tuple():
                return " ".join(f"0x{number:x}" for number in value if isinstance(number, int))
            case Format.INTEGER | Format.STRING | Format.DEVICE, int() | str() | Device():
                return str(value)
        return None
