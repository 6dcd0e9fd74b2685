"""What the checks of the boot store share: its elements in words, and the change that deletes one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.bcd import edits
from vmrescue.checks.evidence import cut_text
from vmrescue.checks.fact import SHOWN_ITEMS
from vmrescue.checks.facts import BootElement
from vmrescue.units import by_number, counted
from vmrescue.windows.hive_changes import hive_changes

if TYPE_CHECKING:
    from uuid import UUID

    from vmrescue.bcd import BcdObject, Element
    from vmrescue.plan import Change
    from vmrescue.windows.boot_store import BootStore


def text_of(element: Element) -> str:
    """An element's value for a person, short; numbers in hexadecimal."""
    if element.fault:
        size = len(element.raw)
        return f"{counted(size, 'byte')} that {by_number(size, 'means', 'mean')} nothing ({element.fault})"
    value = element.value
    if isinstance(value, tuple):
        shown = " ".join(f"0x{item:x}" if isinstance(item, int) else str(item) for item in value[:SHOWN_ITEMS])
        return shown + (f" … ({len(value)} in all)" if len(value) > SHOWN_ITEMS else "")
    return f"0x{value:x}" if isinstance(value, int) else cut_text(str(value))


def element_fact(entry: BcdObject, element: Element, wanted: str | None = None) -> BootElement:
    """An element, and what it is to be; None where it is not wanted."""
    return BootElement(str(entry.guid), entry.alias or None, element.name, text_of(element), wanted)


def os_device_of(guid: UUID) -> str:
    """The volume of Windows that an entry names, as what findings are about."""
    return f"osdevice of {guid}"


def element_of(guid: UUID, number: int) -> str:
    """An element of an object, as what findings are about."""
    return f"element {number:08x} of {guid}"


def delete_element(boot: BootStore, element: Element) -> tuple[Change, ...]:
    """Takes an element away from its object."""
    return tuple(hive_changes(boot.hive, [edits.delete_element(element.object.guid, element.id)]))
