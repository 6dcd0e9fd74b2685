"""``bcdedit /enum``: which objects, in which order, and how they are written.

The layout is Microsoft's: a blank line, the title, dashes of the title's length, then name and value with the values
in column 24, and a list's further values each on its own line. The elements stand in the order of their ids. Without
``/v`` well-known objects are written by alias, and what a setup leaves behind (its templates) is left out.

Sources: the sample output in Microsoft's "Boot options identifiers", "Clearing the current list of PFNs" and "Adding
boot entries"; Geoff Chappell's "BCD Elements" for what only ``/v`` shows; listings that users have published for the
order of the objects.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from uuid import UUID

from vmrescue.bcd import objects
from vmrescue.bcd.device import Device
from vmrescue.bcd.elements import Format
from vmrescue.bcd.objects import Application, Image, ObjectKind, braced
from vmrescue.bcd.store import DEFAULT_OBJECT, DISPLAY_ORDER, guid_of
from vmrescue.commands.bcdedit import messages
from vmrescue.commands.bcdedit.data import ADDRESSES_OF_HOSTS
from vmrescue.commands.bcdedit.listed import ListedElement, ListedEntry
from vmrescue.errors import FormatError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vmrescue.bcd.store import BcdObject, Element, Store
    from vmrescue.bcd.values import Value
    from vmrescue.commands.bcdedit.volumes import Volumes

_COLUMN = 24
_TEMPLATE_CLASS = 4


def select(store: Store, what: str) -> list[BcdObject]:
    """The objects that ``/enum what`` lists, in its order: a type of entry, or one identifier in braces.

    Raises:
        UsageError: no such type of entry.
        NotFoundError: nothing to list.
    """
    if what.startswith("{"):
        return [_one(store, what)]
    if what.lower() == "active":
        found = _active(store)
    else:
        wanted = _TYPES.get(what.lower())
        if wanted is None:
            raise messages.invalid_entry_type()
        found = [each for each in store.objects() if wanted(each)]
        found.sort(key=lambda each: (each.type.value, str(each.guid)))
    if not found:
        raise messages.nothing_to_list()
    return found


def _one(store: Store, identifier: str) -> BcdObject:
    if guid_of(identifier) is None:
        raise messages.invalid_identifier(identifier)
    try:
        return store.object(identifier)
    except NotFoundError:
        raise messages.nothing_to_list() from None


def _active(store: Store) -> list[BcdObject]:
    """The boot manager, and what it displays, as it displays it."""
    manager = store.find(objects.BY_ALIAS["bootmgr"].guid)
    if manager is None:
        return []
    shown = [store.find(guid) for guid in dict.fromkeys(manager.references(DISPLAY_ORDER))]
    return [manager, *(each for each in shown if each and each is not manager)]


def _is_image(image: Image) -> Callable[[BcdObject], bool]:
    return lambda each: each.type.kind is ObjectKind.APPLICATION and each.type.subclass == image


def _is_application(application: Application) -> Callable[[BcdObject], bool]:
    return lambda each: each.type.kind is ObjectKind.APPLICATION and each.type.application is application


_TYPES: dict[str, Callable[[BcdObject], bool]] = {
    "all": lambda _: True,
    "firmware": _is_image(Image.FIRMWARE),
    "bootapp": _is_image(Image.BOOT_APPLICATION),
    "bootmgr": _is_application(Application.BOOT_MANAGER),
    "osloader": _is_application(Application.OS_LOADER),
    "resume": _is_application(Application.RESUME),
    "inherit": lambda each: each.type.kind is ObjectKind.INHERIT,
}


class Listing:
    """Writes objects of one store as bcdedit does."""

    def __init__(self, store: Store, volumes: Volumes, verbose: bool) -> None:
        self._volumes = volumes
        self._verbose = verbose
        self._default = _default_guid(store)

    def text(self, selected: Iterable[BcdObject]) -> str:
        """The whole listing; it begins with a blank line, as bcdedit's does."""
        return "".join(self._entry(each) for each in selected if self._verbose or each.guid not in objects.TEMPLATES)

    def elements(self, elements: Iterable[Element]) -> str:
        """The lines of these elements, without a title."""
        return "".join(
            _lines(element.name, self.values(element))
            for element in elements
            if self._verbose or element.id >> 28 != _TEMPLATE_CLASS
        )

    def _entry(self, each: BcdObject) -> str:
        head = f"\n{each.title}\n{'-' * len(each.title)}\n"
        return head + _lines("identifier", [self.identifier(each.guid)]) + self.elements(each.elements())

    def identifier(self, guid: UUID) -> str:
        """The object's alias, or ``{default}``, or its GUID; with /v always its GUID."""
        if self._verbose:
            return braced(guid)
        return "{default}" if guid == self._default else objects.identifier_of(guid)

    def values(self, element: Element) -> list[str]:
        """The element's value, each item of a list as one. What is damaged is shown in hexadecimal."""
        value = _value_or_none(element)
        match element.format, value:
            case Format.DEVICE, Device():
                return [value.text(self._volumes.name, self._verbose)]
            case Format.OBJECT | Format.OBJECT_LIST, UUID() | tuple():
                guids = value if isinstance(value, tuple) else (value,)
                return [self.identifier(guid) for guid in guids if isinstance(guid, UUID)]
            case Format.INTEGER, int():
                return [_integer(element, value)]
            case Format.INTEGER_LIST, tuple():
                # Windows lists custom:47000005 in decimal, and every list that has a name in hexadecimal.
                return [f"0x{number:x}" if element.type and element.type.name else str(number) for number in value]
            case Format.BOOLEAN, bool():
                return ["Yes" if value else "No"]
            case _, None:
                return [f"unreadable ({element.raw.hex()})"]
        return [value.hex() if isinstance(value, bytes) else str(value)]

    def listed(self, selected: Iterable[BcdObject]) -> tuple[ListedEntry, ...]:
        """The same as values, with nothing left out."""
        return tuple(
            ListedEntry(
                braced(each.guid), each.alias, each.type.value, each.title, tuple(map(self._element, each.elements()))
            )
            for each in selected
        )

    def _element(self, element: Element) -> ListedElement:
        return ListedElement(
            element.id, element.name, element.format, _value_or_none(element), tuple(self.values(element))
        )


def _value_or_none(element: Element) -> Value | None:
    try:
        return element.value
    except FormatError:
        return None


def _default_guid(store: Store) -> UUID | None:
    manager = store.find(objects.BY_ALIAS["bootmgr"].guid)
    return next(iter(manager.references(DEFAULT_OBJECT)), None) if manager else None


def _lines(name: str, values: list[str]) -> str:
    first, *others = values or [""]
    lines = [f"{name:<{_COLUMN - 1}} {first}", *(" " * _COLUMN + value for value in others)]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _integer(element: Element, value: int) -> str:
    kind = element.type
    if kind and value < len(kind.values):
        return kind.values[value]
    if element.id in ADDRESSES_OF_HOSTS and value < 1 << 32:
        return str(ipaddress.IPv4Address(value))
    return f"0x{value:x}" if kind and kind.is_address else str(value)
