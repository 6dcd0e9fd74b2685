"""A boot configuration data store: objects, and their elements, read from a hive.

A store is a registry hive: ``Objects\\{guid}\\Description`` has the dword ``Type``,
``Objects\\{guid}\\Elements\\xxxxxxxx`` has the value ``Element``. Source: Microsoft's BCD WMI reference for the model,
real stores for the keys.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from vmrescue.arguments import typed
from vmrescue.bcd import objects
from vmrescue.bcd.device import Device, check_size
from vmrescue.bcd.elements import ElementType, Format, element_by_id, element_by_name, format_of, name_of
from vmrescue.bcd.objects import Application, ObjectKind, ObjectType, braced
from vmrescue.bcd.values import Value, decode_value
from vmrescue.dataclass import dataclass
from vmrescue.errors import FormatError, NotFoundError, UnsupportedError
from vmrescue.registry.value_type import ValueType

if TYPE_CHECKING:
    from vmrescue.bcd.hive_reader import KeyReader

Found = TypeVar("Found", "KeyReader", "KeyReader | None")

INHERIT = 0x14000006
DEFAULT_OBJECT = 0x23000003
WIN_PE = 0x26000022  # BcdOSLoaderBoolean_WinPEMode
DISPLAY_ORDER = 0x24000001
# The registry types that Windows writes and asks for; of integers others are known in stores that start.
# Source: github.com/reactos/reactos, boot/environ/lib/misc/bcd.c, which is written after Windows' boot library.
REGISTRY_TYPES = {
    Format.DEVICE: ValueType.BINARY,
    Format.STRING: ValueType.SZ,
    Format.OBJECT: ValueType.SZ,
    Format.OBJECT_LIST: ValueType.MULTI_SZ,
    Format.INTEGER_LIST: ValueType.BINARY,
}


@dataclass(frozen=True)
class Element:
    """One element of an object. `raw` and `registry_type` are the bytes and type of its registry value."""

    object: BcdObject
    id: int
    registry_type: int
    raw: bytes

    @property
    def name(self) -> str:
        """bcdedit's name for it: ``badmemorylist``, ``custom:46000010``."""
        return name_of(self.object.type, self.id)

    @property
    def type(self) -> ElementType | None:
        """Its row in the table of elements; None if the table does not have it."""
        return element_by_id(self.object.type, self.id)

    @property
    def format(self) -> Format | None:
        return format_of(self.id)

    @cached_property
    def value(self) -> Value:
        """The decoded value. Raises FormatError, naming object and element, if the bytes are not of its format."""
        try:
            return decode_value(self.format, self.raw)
        except FormatError as error:
            structure = f"element {self.id:08x} of BCD object {braced(self.object.guid)}"
            raise FormatError(structure, error.position, error.expected, error.found) from None

    @property
    def fault(self) -> str | None:
        """Why its bytes are not a value of its format; None if they are."""
        wanted = REGISTRY_TYPES.get(self.format) if self.format else None
        if wanted is not None and self.registry_type != wanted:
            return f"a value of registry type {self.registry_type}, not REG_{wanted.name}"
        try:
            if self.format is Format.DEVICE:
                check_size(self.raw)
            self.value  # noqa: B018 - only to see whether it raises
        except FormatError as error:
            return f"{error.expected} was expected, not {error.found}"
        return None

    @property
    def sound_value(self) -> Value | None:
        """The decoded value; None if the bytes are not of its format."""
        return None if self.fault else self.value


class BcdObject:
    """One object: a boot application, settings to inherit, or the options of a device."""

    def __init__(self, store: Store, guid: UUID, key: KeyReader) -> None:
        self.store = store
        self.guid = guid
        self._key = key

    def __repr__(self) -> str:
        return f"BcdObject({self.identifier}, {self.title})"

    @property
    def alias(self) -> str:
        """The well-known name without braces (``bootmgr``), or an empty string."""
        known = objects.BY_GUID.get(self.guid)
        return known.alias if known else ""

    @property
    def title(self) -> str:
        """bcdedit's heading for it: ``RAM Defects``, ``Windows Boot Loader``."""
        known = objects.BY_GUID.get(self.guid)
        return known.title if known else self.type.title

    @property
    def identifier(self) -> str:
        """The alias in braces, or the GUID in braces if it has no alias."""
        return objects.identifier_of(self.guid)

    @cached_property
    def type(self) -> ObjectType:
        """The object's type; 0 if its description is missing or damaged."""
        description = _own(self._key.subkey("Description"))
        kind, raw = (description.value("Type") if description else None) or (0, b"")
        return ObjectType(int.from_bytes(raw, "little") if kind == ValueType.DWORD and len(raw) == 4 else 0)

    def elements(self) -> list[Element]:
        """Its own elements (not inherited ones), sorted by id."""
        return list(self._elements.values())

    def element(self, which: int | str) -> Element | None:
        """Its own element with this id or bcdedit name; None if it has none."""
        identifier = self._identifier(which)
        return self._elements.get(identifier) if identifier is not None else None

    def inherited(self, which: int | str) -> Element | None:
        """The element that takes effect: its own, or else the first found in `ancestors`; None if none has it."""
        identifier = self._identifier(which)
        for each in [self, *self.ancestors()]:
            if identifier is not None and identifier in each._elements:
                return each._elements[identifier]
        return None

    def device(self, which: int | str) -> Device | None:
        """The device that an element says, its own or an inherited one; None if there is none, or no sound one."""
        element = self.inherited(which)
        device = element.sound_value if element else None
        return device if isinstance(device, Device) else None

    def ancestors(self) -> list[BcdObject]:
        """The objects that it inherits from, in Windows' order: each one followed by its own ancestors.

        Each is listed once, even if objects inherit from each other in a circle.
        """
        found: dict[UUID, BcdObject] = {self.guid: self}
        waiting = self._parents()[::-1]
        while waiting:
            nearest = waiting.pop()
            if nearest.guid not in found:
                found[nearest.guid] = nearest
                waiting.extend(nearest._parents()[::-1])
        return list(found.values())[1:]

    def _parents(self) -> list[BcdObject]:
        return [parent for guid in self.references(INHERIT) if (parent := self.store.find(guid))]

    def references(self, which: int | str) -> tuple[UUID, ...]:
        """The GUIDs that its element names, in order; empty if it has no such element or the element is damaged."""
        element = self.element(which)
        value = element.sound_value if element else ()
        return tuple(each for each in (value if isinstance(value, tuple) else (value,)) if isinstance(each, UUID))

    def _identifier(self, which: int | str) -> int | None:
        if isinstance(which, int):
            return which
        element = element_by_name(self.type, which)
        return element.id if element else None

    def without_a_value(self) -> list[int]:
        """The ids of elements whose keys hold no value: to `elements` they are not there."""
        found = (_hexadecimal(key.name) for key in self._element_keys() if key.value("Element") is None)
        return sorted(identifier for identifier in found if identifier is not None)

    def _element_keys(self) -> list[KeyReader]:
        keys = _own(self._key.subkey("Elements"))
        return [_own(key) for key in keys.subkeys()] if keys else []

    @cached_property
    def _elements(self) -> dict[int, Element]:
        found = {}
        for key in self._element_keys():
            identifier, value = _hexadecimal(key.name), key.value("Element")
            if identifier is not None and value is not None:
                found[identifier] = Element(self, identifier, *value)
        return dict(sorted(found.items()))


@typed
class Store:
    """A store, from the root key of its hive.

    Raises:
        NotFoundError: the hive has no key ``Objects``, so it is not a BCD store.
        UnsupportedError: one of its keys is a symbolic link; its objects raise the same for links among their keys.
    """

    def __init__(self, root: KeyReader) -> None:
        key = _own(root.subkey("Objects"))
        if key is None:
            raise NotFoundError("not a BCD store: its hive has no key Objects")
        own = map(_own, key.subkeys())
        self._objects = {guid: BcdObject(self, guid, each) for each in own if (guid := _guid(each.name))}

    def objects(self) -> list[BcdObject]:
        """All objects, sorted by the text of their GUIDs, as a hive sorts keys."""
        return sorted(self._objects.values(), key=lambda each: str(each.guid))

    def find(self, guid: UUID) -> BcdObject | None:
        """The object with this GUID; None if the store has none."""
        return self._objects.get(guid)

    def object(self, identifier: str | UUID) -> BcdObject:
        """The object with this GUID or alias, with or without braces, in any case.

        ``{default}`` is the default loader. So is ``{current}``: a store that is not running has no current entry.

        Raises:
            NotFoundError: the store has no such object.
        """
        guid = identifier if isinstance(identifier, UUID) else guid_of(identifier)
        if guid in (objects.DEFAULT, objects.CURRENT):
            return self.default_loader()
        found = self.find(guid) if guid else None
        if found is None:
            raise NotFoundError(f"the BCD store has no object {identifier}")
        found.elements()  # raises for a symbolic link, so that a caller who only sets elements learns of it too
        return found

    @property
    def boot_manager(self) -> BcdObject:
        """The Windows boot manager's object. Raises NotFoundError if the store has none."""
        return self.object("{bootmgr}")

    def loaders(self) -> list[BcdObject]:
        """The Windows boot loaders."""
        wanted = ObjectKind.APPLICATION, Application.OS_LOADER
        return [each for each in self.objects() if (each.type.kind, each.type.application) == wanted]

    def default_loader(self) -> BcdObject:
        """The entry that boots: the boot manager's default, else the first in its display order, else the only loader.

        Windows RE, or another Windows PE, is not taken for the default because nothing else is left.

        Raises:
            NotFoundError: none of these leads to an object of the store.
        """
        manager = self.find(objects.BY_ALIAS["bootmgr"].guid)
        named = (*manager.references(DEFAULT_OBJECT), *manager.references(DISPLAY_ORDER)) if manager else ()
        found = [entry for guid in named if (entry := self.find(guid))]
        loaders = self.loaders()
        only = loaders[0] if len(loaders) == 1 and not _is_recovery(loaders[0]) else None
        entry = found[0] if found else only
        if entry is None:
            raise NotFoundError("the BCD store has no default boot loader")
        return entry


def _is_recovery(entry: BcdObject) -> bool:
    element = entry.inherited(WIN_PE)
    return element is not None and element.sound_value is True


def _own(key: Found) -> Found:
    """The key itself. Raises UnsupportedError for a symbolic link: Windows would read another key."""
    if key is not None and key.is_link:
        raise UnsupportedError(f"the boot store's key {key.name!r} is a symbolic link, which no store should have")
    return key


def guid_of(identifier: str) -> UUID | None:
    """The GUID of an alias or of a GUID's text, with or without braces; None if it is neither."""
    bare = identifier.strip().removeprefix("{").removesuffix("}").lower()
    if bare in ("default", "current"):
        return objects.DEFAULT if bare == "default" else objects.CURRENT
    known = objects.BY_ALIAS.get(bare)
    return known.guid if known else _guid(f"{{{bare}}}")


def _guid(name: str) -> UUID | None:
    try:
        return UUID(name) if len(name) == 38 else None
    except ValueError:
        return None


def _hexadecimal(name: str) -> int | None:
    try:
        return int(name, 16) if len(name) == 8 else None
    except ValueError:
        return None
