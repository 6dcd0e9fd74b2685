"""The services of a control set, read in one pass: what each is and when it starts; for a few also their other values.

Source: Microsoft, "HKLM\\SYSTEM\\CurrentControlSet\\Services Registry Tree"; for StartOverride what Windows 10 stores.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from vmrescue.errors import NotFoundError
from vmrescue.plan import RegistryData
from vmrescue.readers.hive.children import Children
from vmrescue.registry.value_type import ValueType
from vmrescue.upcase import upper

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.readers.hive.children import Child
    from vmrescue.readers.hive.key import HiveValue
    from vmrescue.windows.registry_file import RegistryFile

BOOT, SYSTEM, AUTOMATIC, ON_DEMAND, DISABLED = range(5)  # Start
IGNORED, LOGGED, SEVERE, CRITICAL = range(4)  # ErrorControl
DRIVER_TYPES = (1, 2, 8)  # kernel driver, file system driver, recognizer of file systems
TEXTS = (ValueType.SZ, ValueType.EXPAND_SZ)
OF_ALL, OF_SOME = ("Type", "Start"), ("ErrorControl", "Group", "Tag", "ImagePath")


class Service:
    """A key below Services. A number is None, and a text empty, for a value that is missing or of another type.

    Attributes:
        subkeys: where those are, and how many; among them may be StartOverride.
    """

    def __init__(self, child: Child, keys: Children) -> None:
        self.name = child.name
        self.subkeys = child.subkeys
        self._child = child
        self._keys = keys

    @cached_property
    def _others(self) -> dict[str, HiveValue]:
        return self._keys.values(self._child, OF_SOME)

    @property
    def type(self) -> int | None:
        return _number(self._child.values.get("TYPE"))

    @property
    def start(self) -> int | None:
        return _number(self._child.values.get("START"))

    @property
    def error_control(self) -> int | None:
        return _number(self._others.get("ERRORCONTROL"))

    @cached_property
    def group(self) -> str:
        return _text(self._others.get("GROUP"))

    @property
    def tag(self) -> int | None:
        return _number(self._others.get("TAG"))

    @cached_property
    def image(self) -> str:
        return _text(self._others.get("IMAGEPATH"))

    @property
    def has_image_of_another_type(self) -> bool:
        """Whether ImagePath is no text: what Windows makes of it is not known."""
        stored = self._others.get("IMAGEPATH")
        return stored is not None and stored.type not in TEXTS

    @property
    def is_boot_driver(self) -> bool:
        """Whether the loader is to load it."""
        return self.start == BOOT and self.type in DRIVER_TYPES

    @property
    def path(self) -> str:
        """Where its file lies, as Windows would write it; where ImagePath is missing, as Windows Internals says."""
        return self.image or f"System32\\drivers\\{self.name}.sys"


def _number(stored: HiveValue | None) -> int | None:
    """A DWORD, as nearly all are; `RegistryData` tells for the others."""
    if stored is None or (stored.type == ValueType.DWORD and len(stored.raw) == 4):
        return stored and int.from_bytes(stored.raw, "little")
    value = RegistryData(*stored).data
    return value if isinstance(value, int) else None


def _text(stored: HiveValue | None) -> str:
    if stored is None or stored.type not in TEXTS:
        return ""
    return stored.raw[: len(stored.raw) & ~1].decode("utf-16-le", "replace").partition("\0")[0]


class Services:
    """The services of one control set.

    Raises NotFoundError where the control set has none, FormatError where they cannot be read.
    """

    def __init__(self, system: RegistryFile, control_set: str) -> None:
        self.control_set = control_set
        self._system = system
        key = system.key(f"{control_set}\\Services")
        if key is None:
            raise NotFoundError(f"{control_set} has no key Services")
        self._overrides: dict[str, dict[str, int]] = {}
        self._keys = Children(key)
        found = (Service(child, self._keys) for child in self._keys.read(OF_ALL) if not child.is_link)
        self._by_name = {upper(service.name): service for service in found}

    def find(self, name: str) -> Service | None:
        return self._by_name.get(upper(name))

    def __iter__(self) -> Iterator[Service]:
        return iter(self._by_name.values())

    @cached_property
    def boot_drivers(self) -> list[Service]:
        """The drivers that the loader loads, in its order: by their groups, in a group by their tags."""
        groups = {upper(group): number for number, group in enumerate(self.groups)}
        last = len(groups)
        return sorted(
            (service for service in self._by_name.values() if service.is_boot_driver),
            key=lambda each: (groups.get(upper(each.group), last), each.tag if each.tag is not None else 1 << 32),
        )

    @cached_property
    def groups(self) -> list[str]:
        """The groups of drivers in the order in which they start; none where there is no such list."""
        return self._lines("Control\\ServiceGroupOrder", "List")

    def overrides(self, service: Service) -> dict[str, int]:
        """The start values of StartOverride by the ids of the hardware that they are for."""
        if service.name not in self._overrides:
            below = self._keys.read((), service.subkeys) if service.subkeys[1] else ()
            key = next((each for each in below if upper(each.name) == "STARTOVERRIDE"), None)
            values = self._keys.values(key) if key else {}
            found = {name: RegistryData(*value).data for name, value in values.items()}
            self._overrides[service.name] = {name: data for name, data in found.items() if isinstance(data, int)}
        return self._overrides[service.name]

    def _lines(self, key: str, value: str) -> list[str]:
        data = self._system.data(f"{self.control_set}\\{key}", value)
        return data.data if data and isinstance(data.data, list) else []
