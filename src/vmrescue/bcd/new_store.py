"""Makes a new boot store: the boot manager, one loader, and the settings that they inherit.

Source: what Microsoft's BCDBoot writes, according to its documentation and Microsoft's BCD reference. Elements that
BCDBoot takes from a template besides these (the locale's fonts, tools, Windows RE) are left out; Windows or bcdedit can
add them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.bcd import edits, objects
from vmrescue.bcd.device import Partition, encode
from vmrescue.bcd.elements import Format
from vmrescue.bcd.objects import ObjectType
from vmrescue.bcd.whole_store import empty_store
from vmrescue.dataclass import dataclass
from vmrescue.registry.operations import SetValue
from vmrescue.registry.value_type import ValueType
from vmrescue.registry.value_type import encode as encode_registry

if TYPE_CHECKING:
    from uuid import UUID

    from vmrescue.bcd.values import Value
    from vmrescue.registry.operations import Operation

STORE_MINOR = 3  # minor version of the hives that Windows makes for stores
BOOT_MANAGER, OS_LOADER = ObjectType(0x10100002), ObjectType(0x10200003)
DEVICE, PATH, DESCRIPTION, LOCALE, INHERIT = 0x11000001, 0x12000002, 0x12000004, 0x12000005, 0x14000006
OS_DEVICE, SYSTEM_ROOT = 0x21000001, 0x22000002
DEFAULT, DISPLAY_ORDER, TIMEOUT = 0x23000003, 0x24000001, 0x25000004
SECONDS = 30  # timeout of the boot menu, as in BCDBoot
LANGUAGE = "en-US"
# The objects with inherited settings, in the order in which they are made
SETTINGS = ("badmemory", "emssettings", "dbgsettings", "globalsettings", "bootloadersettings")
INHERITED = {"globalsettings": ("dbgsettings", "emssettings", "badmemory"), "bootloadersettings": ("globalsettings",)}
FORMATS = {1: Format.DEVICE, 2: Format.STRING, 3: Format.OBJECT, 4: Format.OBJECT_LIST, 5: Format.INTEGER}


@dataclass(frozen=True)
class NewLoader:
    """The entry of a Windows.

    Attributes:
        guid: the entry's GUID.
        partition: the partition of the loader and of Windows.
        root: the folder of Windows, with a leading backslash.
        path: the loader's path.
        title: its name in the boot menu.
    """

    guid: UUID
    partition: Partition
    root: str
    path: str
    title: str


def new_store(boot: Partition, manager_path: str | None, loader: NewLoader) -> list[Operation]:
    """The operations that make a store in an empty hive.

    Args:
        boot: the partition of the boot manager.
        manager_path: the boot manager's path, if the firmware needs one (UEFI); else None.
        loader: the entry that is started.
    """
    made = [*empty_store(), *(_number("Description", name, 1) for name in ("System", "TreatAsSystem"))]
    for alias in SETTINGS:
        known = objects.BY_ALIAS[alias]
        made += _object(known.guid, known.type, {INHERIT: _guids(*INHERITED[alias])} if alias in INHERITED else {})
    entry: dict[int, Value] = {DEVICE: encode(loader.partition), PATH: loader.path, DESCRIPTION: loader.title}
    entry |= {LOCALE: LANGUAGE, INHERIT: _guids("bootloadersettings")}
    entry |= {OS_DEVICE: encode(loader.partition), SYSTEM_ROOT: loader.root}
    return [*made, *new_manager(boot, manager_path, loader.guid), *_object(loader.guid, OS_LOADER, entry)]


def new_manager(boot: Partition, manager_path: str | None, loader: UUID) -> list[Operation]:
    """The operations that make the boot manager's object in a store without one; `loader` is started.

    Source: Microsoft, learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/boot-error-0xc0000034.
    """
    manager: dict[int, Value] = {DEVICE: encode(boot)}
    if manager_path:
        manager[PATH] = manager_path
    manager |= {DESCRIPTION: "Windows Boot Manager", LOCALE: LANGUAGE, INHERIT: _guids("globalsettings")}
    manager |= {DEFAULT: loader, DISPLAY_ORDER: (loader,), TIMEOUT: SECONDS}
    return _object(objects.BY_ALIAS["bootmgr"].guid, BOOT_MANAGER, manager)


def _object(guid: UUID, kind: ObjectType, elements: dict[int, Value]) -> list[Operation]:
    made = edits.create_object(guid, kind)
    return made + [
        edits.set_element(guid, number, FORMATS[number >> 24 & 0xF], value) for number, value in elements.items()
    ]


def _guids(*aliases: str) -> tuple[UUID, ...]:
    return tuple(objects.BY_ALIAS[alias].guid for alias in aliases)


def _number(key: str, name: str, value: int) -> SetValue:
    return SetValue(key, name, ValueType.DWORD, encode_registry(ValueType.DWORD, value))
