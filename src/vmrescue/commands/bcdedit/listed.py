"""What a listing of bcdedit's lists, as values: entries of a store, and their elements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from vmrescue.bcd.device import Device, Partition
from vmrescue.bcd.objects import braced
from vmrescue.dataclass import dataclass

if TYPE_CHECKING:
    from vmrescue.bcd.elements import Format
    from vmrescue.bcd.values import Value


@dataclass(frozen=True)
class ListedElement:
    """An element of an entry.

    Attributes:
        id: its number; `name` what bcdedit calls it.
        format: what its value is; None for a format that there is not.
        value: None where its bytes are no value of that format.
        text: what bcdedit prints of it, each item of a list as one.
    """

    id: int
    name: str
    format: Format | None
    value: Value | None
    text: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": f"0x{self.id:08x}",
            "name": self.name,
            "format": self.format.name.lower().replace("_", "-") if self.format else None,
            "value": _plain(self.value),
            "text": list(self.text),
        }


@dataclass(frozen=True)
class ListedEntry:
    """An entry of a boot store.

    Attributes:
        identifier: its GUID in braces; `alias` its well-known name, such as ``bootmgr``, or None.
        type: the number of its description.
        title: what bcdedit prints above it.
        elements: all of them, in the order of their ids.
    """

    identifier: str
    alias: str | None
    type: int
    title: str
    elements: tuple[ListedElement, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "identifier": self.identifier,
            "alias": self.alias,
            "type": f"0x{self.type:08x}",
            "title": self.title,
            "elements": [element.to_dict() for element in self.elements],
        }


def _plain(value: object) -> Any:
    match value:
        case Device():
            return _plain_device(value)
        case UUID():
            return braced(value)
        case tuple():
            return [_plain(item) for item in value]
        case bytes():
            return value.hex()
    return value


def _plain_device(device: Device) -> dict[str, Any]:
    plain: dict[str, Any] = {"kind": type(device.target).__name__.lower(), "device": str(device)}
    if isinstance(device.target, Partition):
        target = device.target
        plain |= {
            "style": target.style.name.lower(),
            "disk": _plain(target.disk),
            "partition": _plain(target.partition),
        }
    if device.options:
        plain["options"] = braced(device.options)
    return plain | {"raw": device.raw.hex()}
