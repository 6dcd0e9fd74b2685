r"""A Windows on a volume: its hives, its control sets, its product name and version."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.errors import LinkError, NotFoundError, ReadError, VmRescueError, fault_of
from vmrescue.log import logger
from vmrescue.upcase import upper
from vmrescue.windows.registry_file import RegistryFile

if TYPE_CHECKING:
    from vmrescue.volumes.disk import Volume
    from vmrescue.windows.loaders import Loader
    from vmrescue.windows.registry_file import RegistryKey

LOG = logger("windows")
CURRENT_VERSION = r"Microsoft\Windows NT\CurrentVersion"
DEFAULT_ROOT = "Windows"
OLD_ROOT = "WINNT"  # that of Windows 2000 and NT
CONFIG = r"System32\config"
HIVES = ("SYSTEM", "SOFTWARE", "SAM", "SECURITY", "DEFAULT")  # without one of them Windows does not start
DRIVE = re.compile(r"[A-Za-z]:(?=[\\/])")
CONTROL_SET = re.compile(r"ControlSet\d{3}", re.IGNORECASE)
VISTA_BUILD = 6000  # the first that bootmgr starts; what is older, ntldr starts
WINDOWS_11_BUILD = 22000  # from this build on a client is Windows 11, though ProductName still says 10


@dataclass(frozen=True)
class Product:
    """Facts from SOFTWARE; None if the hive is missing or lacks the value."""

    name: str | None
    edition: str | None
    version: str | None
    build: str | None


class OperatingSystem:
    r"""A Windows: its volume, its folder, and its hives.

    Args:
        volume: the OS volume.
        root: the Windows folder's path on it, without a leading backslash.
        way: how it was found, in words.

    Attributes:
        boots: whether it is the one that boots, as far as the disk tells; set by `Installation`.
        loader: the entry of the boot store that starts it; None if none does.
        warnings: oddities of parts that could be read nevertheless.
    """

    def __init__(self, volume: Volume, root: str, way: str = "") -> None:
        self.volume = volume
        self.root = root
        self.way = way
        self.boots = False
        self.loader: Loader | None = None
        self.warnings: list[str] = []

    def __str__(self) -> str:
        return f"\\{self.root} on {self.volume}"

    @property
    def config(self) -> str:
        """The folder of the hives."""
        return f"{self.root}\\{CONFIG}"

    def hive(self, name: str) -> RegistryFile:
        """A hive of the config folder, the same object each time. Raises NotFoundError if it is missing."""
        return RegistryFile.of(self.volume, f"{self.config}\\{name}")

    def has(self, name: str) -> bool:
        """Whether a hive's file exists, whatever its content."""
        return self.volume.has_file(f"{self.config}\\{name}")

    @property
    def system(self) -> RegistryFile:
        return self.hive("SYSTEM")

    @cached_property
    def fault(self) -> str | None:
        """Why its SYSTEM hive, without which little is known, cannot be read; None if it can."""
        return fault_of(lambda: self.control_sets)

    @cached_property
    def software(self) -> RegistryFile | None:
        """The SOFTWARE hive, without replay of its logs: it is often 100 MB, and names and versions are in the file."""
        path = f"{self.config}\\SOFTWARE"
        return RegistryFile(self.volume, path, replay=False) if self.volume.files.size_of(path) else None

    @cached_property
    def control_sets(self) -> list[str]:
        """The existing control sets, e.g. ``["ControlSet001"]``; a link to another set counts as that set."""
        return sorted(set(self._control_sets.values()))

    @cached_property
    def _control_sets(self) -> dict[str, str]:
        """Upper-cased name, also of a link -> name of the set."""
        found: dict[object, str] = {}
        names: dict[str, str] = {}
        keys = [key for key in self.system.root.subkeys() if CONTROL_SET.fullmatch(key.name)]
        for key in sorted(keys, key=lambda key: (key.is_link, key.name)):
            place: object = key.name
            with suppress(LinkError):  # the link leads nowhere; code that opens it reports that
                opened = self.system.key(key.name)
                place = opened.place if opened else place
            names[upper(key.name)] = found.setdefault(place, key.name)
        return names

    @cached_property
    def current_control_set(self) -> str:
        """The set that `Select\\Current` names; else that of `Select\\Default`, which the loader uses.

        Raises NotFoundError if neither names an existing set, and there is not exactly one set.
        """
        said: list[str] = []
        for value in ("Current", "Default"):
            number = self._selected(value)
            name = None if number is None else f"ControlSet{number:03}"
            if name and (found := self._control_sets.get(upper(name))):
                LOG.info("%s: the control set is %s, which Select\\%s names", self, found, value)
                if said:
                    self.warnings.append(f"{said[0]}; {found}, which Select\\{value} names, was looked at")
                return found
            said.append(f"Select\\{value} names {name or 'no control set'}" + (", which is not there" if name else ""))
        if len(self.control_sets) != 1:
            known = ", ".join(self.control_sets) or "none"
            raise NotFoundError(f"hive \\{self.system.path}: {' and '.join(said)}; the control sets there: {known}")
        [found] = self.control_sets
        self.warnings.append(f"{' and '.join(said)}; {found}, the only control set there, was looked at")
        return found

    @property
    def current_control_set_if_known(self) -> str | None:
        try:
            return self.current_control_set
        except ReadError:
            raise
        except VmRescueError:
            return None

    def selected_set(self, value: str) -> str | None:
        r"""The control set that a value of `Select` names; None if it does not exist."""
        number = self._selected(value)
        return None if number is None else self._control_sets.get(f"CONTROLSET{number:03}")

    def _selected(self, value: str) -> int | None:
        """The number in a value of `Select`; None if there is none or a link makes it unreadable."""
        try:
            return self.system.number("Select", value)
        except LinkError as error:
            self.warnings.append(str(error))
            return None

    @cached_property
    def computer_name(self) -> str | None:
        try:
            return self.system.text(f"{self.current_control_set}\\Control\\ComputerName\\ComputerName", "ComputerName")
        except ReadError:
            raise
        except VmRescueError as error:
            if not self.fault:  # otherwise `fault` is reported
                self.warnings.append(f"the computer's name is not known: {error}")
            return None

    @cached_property
    def product(self) -> Product:
        """Product name and version; all None if SOFTWARE is missing or damaged, which must not stop a diagnosis."""
        try:
            return self._read_product()
        except ReadError:
            raise
        except VmRescueError as error:
            self.warnings.append(f"the Windows version is not known: {error}")
            return Product(None, None, None, None)

    @property
    def before_vista(self) -> bool:
        """Whether it is older than Vista, and starts with ntldr and boot.ini; no where nothing tells."""
        number = (self.product.build or "").partition(".")[0]
        return number.isdecimal() and int(number) < VISTA_BUILD

    @property
    def system_drive(self) -> str | None:
        """The letter (``"C:"``) of its own volume, from `SystemRoot` in SOFTWARE; None if that has none."""
        with suppress(VmRescueError):
            root = self.software.text(CURRENT_VERSION, "SystemRoot") if self.software else None
            match = DRIVE.match(root or "")
            return match[0].upper() if match else None
        return None

    @cached_property
    def bootable_control_sets(self) -> list[str]:
        """The control sets that the next boot may use: the current one, and those of `Default` and `LastKnownGood`."""
        names = (self.selected_set(value) for value in ("Default", "LastKnownGood"))
        return list(dict.fromkeys([self.current_control_set, *filter(None, names)]))

    def _read_product(self) -> Product:
        hive = self.software
        key = hive.key(CURRENT_VERSION) if hive else None
        if key is None:
            return Product(None, None, None, None)
        build = _text(key, "CurrentBuildNumber") or _text(key, "CurrentBuild")
        revision = hive.number(CURRENT_VERSION, "UBR") if hive else None
        name = _text(key, "ProductName")
        if name and _text(key, "InstallationType") == "Client" and (build or "").isdigit():
            name = name.replace("Windows 10", "Windows 11") if int(build or 0) >= WINDOWS_11_BUILD else name
        if build and revision is not None:
            build = f"{build}.{revision}"
        return Product(name, _text(key, "EditionID"), _text(key, "DisplayVersion") or _text(key, "ReleaseId"), build)


def _text(key: RegistryKey, name: str) -> str | None:
    data = key.data(name)
    value = data.data if data else None
    return value if isinstance(value, str) and value else None
