"""What a BCD element is: its id, its name, the format of its value, and the objects that it belongs to.

The same id means different things in different objects: 0x22000002 is a loader's ``systemroot`` and a resume object's
``filepath``. So every look-up takes the object's type.
"""

from __future__ import annotations

import enum
from functools import cache
from typing import TYPE_CHECKING

from vmrescue.bcd import element_table
from vmrescue.bcd.objects import Application, Inheritable, ObjectKind
from vmrescue.dataclass import dataclass

if TYPE_CHECKING:
    from vmrescue.bcd.objects import ObjectType


class Format(enum.IntEnum):
    """The second digit of an element's id: what its value is."""

    DEVICE = 1
    STRING = 2
    OBJECT = 3
    OBJECT_LIST = 4
    INTEGER = 5
    BOOLEAN = 6
    INTEGER_LIST = 7


class Scope(enum.Enum):
    """Which objects an element belongs to."""

    LIBRARY = "any object"
    BOOT_MANAGER = "boot manager"
    OS_LOADER = "OS loader"
    RESUME = "resume loader"
    MEMORY_TESTER = "memory tester"
    LEGACY_LOADER = "legacy loader"
    STARTUP = "startup program"
    BOOT_APPLICATION = "boot application"
    DEVICE = "device options"


@dataclass(frozen=True)
class ElementType:
    """One row of the table. `values` are the names that bcdedit uses for the numbers 0, 1, 2 … of an integer."""

    id: int
    name: str
    wmi: str
    values: tuple[str, ...]
    scope: Scope

    @property
    def format(self) -> Format:
        return Format(self.id >> 24 & 0xF)

    @property
    def is_address(self) -> bool:
        """Whether it is an integer that bcdedit writes in hexadecimal."""
        return self.id in element_table.ADDRESSES


_TABLE = {
    Scope.LIBRARY: element_table.LIBRARY,
    Scope.BOOT_MANAGER: element_table.BOOT_MANAGER,
    Scope.OS_LOADER: element_table.OS_LOADER,
    Scope.RESUME: element_table.RESUME,
    Scope.MEMORY_TESTER: element_table.MEMORY_TESTER,
    Scope.LEGACY_LOADER: element_table.LEGACY_LOADER,
    Scope.STARTUP: element_table.STARTUP,
    Scope.BOOT_APPLICATION: element_table.BOOT_APPLICATION,
    Scope.DEVICE: element_table.DEVICE,
}
ELEMENTS = tuple(ElementType(*row, scope) for scope, rows in _TABLE.items() for row in rows)
_BY_ID = {(element.scope, element.id): element for element in ELEMENTS}

_SCOPES = {
    Application.FIRMWARE_BOOT_MANAGER: Scope.BOOT_MANAGER,
    Application.BOOT_MANAGER: Scope.BOOT_MANAGER,
    Application.OS_LOADER: Scope.OS_LOADER,
    Application.RESUME: Scope.RESUME,
    Application.MEMORY_TESTER: Scope.MEMORY_TESTER,
    Application.NTLDR: Scope.LEGACY_LOADER,
    Application.SETUPLDR: Scope.LEGACY_LOADER,
    Application.STARTUP: Scope.STARTUP,
    Application.BOOT_APPLICATION: Scope.BOOT_APPLICATION,
}


def scopes(object_type: ObjectType) -> tuple[Scope, ...]:
    """The scopes whose elements an object of this type may hold: the library's, and at most one more."""
    of_devices = object_type.kind is ObjectKind.INHERIT and object_type.subclass == Inheritable.BY_DEVICE
    if object_type.kind is ObjectKind.DEVICE or of_devices:
        return (Scope.LIBRARY, Scope.DEVICE)
    own = _SCOPES.get(object_type.application) if object_type.application is not None else None
    return (Scope.LIBRARY, own) if own else (Scope.LIBRARY,)


def format_of(identifier: int) -> Format | None:
    """The format that an element's id gives, whether or not the table has the id; None if the digit is no format."""
    digit = identifier >> 24 & 0xF
    return Format(digit) if digit in set(Format) else None


@cache
def element_by_id(object_type: ObjectType, identifier: int) -> ElementType | None:
    """The element with this id in an object of this type; None if the table has none."""
    found = (_BY_ID.get((scope, identifier)) for scope in scopes(object_type))
    return next((element for element in found if element), None)


@cache
def element_by_name(object_type: ObjectType, name: str) -> ElementType | None:
    """The element that bcdedit calls `name` (in any case) in an object of this type; None if the table has none."""
    wanted = name.lower()
    if not wanted:
        return None
    for scope in scopes(object_type):
        for element in ELEMENTS:
            if element.scope is scope and element.name == wanted:
                return element
    return None


def name_of(object_type: ObjectType, identifier: int) -> str:
    """What bcdedit calls the element: its name, or ``custom:xxxxxxxx``."""
    element = element_by_id(object_type, identifier)
    return element.name if element and element.name else f"custom:{identifier:08x}"
