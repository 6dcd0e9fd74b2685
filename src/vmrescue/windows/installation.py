"""A Windows installation on a set of disks: what boots it, where it lies, and what it says of itself."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from vmrescue import file_path
from vmrescue.bcd import Boot, Device, Partition, Style
from vmrescue.errors import FormatError, LinkError, NotFoundError, UnsupportedError, VmRescueError
from vmrescue.upcase import upper
from vmrescue.windows.boot_store import BootStore, find_boot_store
from vmrescue.windows.drives import Drives
from vmrescue.windows.mounted_devices import drive_letters
from vmrescue.windows.registry_file import RegistryFile

if TYPE_CHECKING:
    from vmrescue.plan import RegistryData
    from vmrescue.volumes.disk import Disk, Volume
    from vmrescue.windows.registry_file import RegistryKey

CURRENT_VERSION = r"Microsoft\Windows NT\CurrentVersion"
DEFAULT_ROOT = "Windows"
OS_LETTER = "C:"
NOT_IN_NAMES = frozenset('<>:"|?*')  # a text with one of these is no folder of Windows
LONGEST_NAME = 255  # characters
DRIVE = re.compile(r"[A-Za-z]:(?=[\\/])")
CONTROL_SET = re.compile(r"ControlSet\d{3}", re.IGNORECASE)
WINDOWS_11_BUILD = 22000  # from this build on a client is Windows 11, though ProductName still says 10


@dataclass(frozen=True)
class Product:
    """What SOFTWARE says: all None where the hive is missing or lacks the value."""

    name: str | None
    edition: str | None
    version: str | None
    build: str | None


class OperatingSystem:
    r"""The volume that holds ``\Windows``, and its hives.

    Args:
        volume: the OS volume.
        root: the Windows folder's path on it, without a leading backslash.
    """

    def __init__(self, volume: Volume, root: str) -> None:
        self.volume = volume
        self.root = root
        self.warnings: list[str] = []

    @property
    def config(self) -> str:
        """The folder of the hives."""
        return f"{self.root}\\System32\\config"

    @cached_property
    def system(self) -> RegistryFile:
        return RegistryFile(self.volume, f"{self.config}\\SYSTEM")

    @cached_property
    def software(self) -> RegistryFile | None:
        """For names and versions, which no crash changes: a dirty one, often 100 MB, is not worth a replay here."""
        path = f"{self.config}\\SOFTWARE"
        return RegistryFile(self.volume, path, replay=False) if self.volume.files.size_of(path) else None

    @cached_property
    def control_sets(self) -> list[str]:
        """The control sets that there are, e.g. ``["ControlSet001"]``; one that is a link to another is that one."""
        return sorted(set(self._control_sets.values()))

    @cached_property
    def _control_sets(self) -> dict[str, str]:
        """By their names in capitals, those of links too: the name of each set."""
        found: dict[object, str] = {}
        names: dict[str, str] = {}
        keys = [key for key in self.system.root.subkeys() if CONTROL_SET.fullmatch(key.name)]
        for key in sorted(keys, key=lambda key: (key.is_link, key.name)):
            place: object = key.name
            with suppress(LinkError):  # it leads nowhere: whoever looks into it says so
                opened = self.system.key(key.name)
                place = opened.place if opened else place
            names[upper(key.name)] = found.setdefault(place, key.name)
        return names

    @cached_property
    def current_control_set(self) -> str:
        """The set that `Select\\Current` names, else the one that `Select\\Default` does, which the loader goes by.

        Raises NotFoundError where neither names one that is there, and there are several or none.
        """
        said: list[str] = []
        for value in ("Current", "Default"):
            number = self._selected(value)
            name = None if number is None else f"ControlSet{number:03}"
            if name and (found := self._control_sets.get(upper(name))):
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
        except NotFoundError:
            return None

    def _selected(self, value: str) -> int | None:
        """The number that a value of `Select` holds; None where there is none, or where a link hides it."""
        try:
            return self.system.number("Select", value)
        except LinkError as error:
            self.warnings.append(str(error))
            return None

    @cached_property
    def computer_name(self) -> str | None:
        try:
            return self.system.text(f"{self.current_control_set}\\Control\\ComputerName\\ComputerName", "ComputerName")
        except (LinkError, NotFoundError) as error:
            self.warnings.append(f"the computer's name is not known: {error}")
            return None

    @cached_property
    def product(self) -> Product:
        """All None where SOFTWARE is missing or damaged: that keeps no VM from being diagnosed."""
        try:
            return self._read_product()
        except VmRescueError as error:
            self.warnings.append(f"the Windows version is not known: {error}")
            return Product(None, None, None, None)

    @property
    def system_drive(self) -> str | None:
        """The letter (``"C:"``) of its own volume by `SystemRoot` of SOFTWARE; None where that says none."""
        with suppress(VmRescueError):
            root = self.software.text(CURRENT_VERSION, "SystemRoot") if self.software else None
            match = DRIVE.match(root or "")
            return match[0].upper() if match else None
        return None

    @cached_property
    def bootable_control_sets(self) -> list[str]:
        """The control sets that the next boot may take: the current one, and those of `Default` and `LastKnownGood`."""
        numbers = (self._selected(value) for value in ("Default", "LastKnownGood"))
        names = (self._control_sets.get(f"CONTROLSET{number:03}") for number in numbers if number is not None)
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


@dataclass(frozen=True)
class WithoutWindows:
    """Disks on which no Windows was found: what a rule needs that looks at volumes alone."""

    disks: list[Disk]

    @property
    def volumes(self) -> list[Volume]:
        return [volume for disk in self.disks for volume in disk.volumes]


class Installation:
    """A Windows on the disks that are at hand.

    Attributes:
        disks: the image first, then the data disks given with it.
        boot: the store that boots it.
        os: the installation that the default loader starts; None only where its volume is encrypted.
        encrypted: the BitLocker volumes; where `os` is None, the OS volume is among them.
        letters: the guest's drive letters for the volumes at hand.
    """

    def __init__(self, disks: list[Disk]) -> None:
        self.disks = disks
        self.boot: BootStore = find_boot_store(disks[0])
        self.encrypted = [volume for volume in self.volumes if volume.file_system == "BitLocker"]
        self.os = self._find_os()
        self.letters = self._letters()
        for letter, volume in self.letters.items():
            volume.letter = letter

    @property
    def generation(self) -> int:
        return self.boot.generation

    @cached_property
    def drives(self) -> Drives:
        """What each letter of the guest is, at hand or not."""
        windows = (self.os.volume, self.os.root) if self.os else None
        return Drives(self.mounted_devices, self.letters, windows)

    @property
    def volumes(self) -> list[Volume]:
        return [volume for disk in self.disks for volume in disk.volumes]

    @property
    def hives(self) -> list[RegistryFile]:
        """Those that are open in any case: the boot store, and SYSTEM."""
        return [self.boot.hive, *([self.os.system] if self.os else [])]

    def _find_os(self) -> OperatingSystem | None:
        root = self._system_root()
        named = self._os_device()
        candidates = [named] if named else [volume for volume in self.disks[0].volumes if volume != self.boot.volume]
        damaged: VmRescueError | None = None
        for volume in [*candidates, self.boot.volume]:
            try:
                if volume.readable and volume.files.size_of(f"{root}\\System32\\config\\SYSTEM") is not None:
                    return OperatingSystem(volume, root)
            except (FormatError, UnsupportedError) as error:
                damaged = damaged or error
        if self.encrypted:
            return None
        if damaged:
            raise damaged
        looked = ", ".join(map(str, candidates or [self.boot.volume]))
        raise NotFoundError(f"no Windows: there is no \\{root}\\System32\\config\\SYSTEM on {looked}")

    def _system_root(self) -> str:
        loader = self.boot.loader
        element = loader.element("systemroot") if loader else None
        parts = file_path.split(str(element.sound_value or "")) if element else []
        plain = parts and not any(
            part in (".", "..") or NOT_IN_NAMES & set(part) or len(part) > LONGEST_NAME for part in parts
        )
        return "\\".join(parts) if plain else DEFAULT_ROOT

    def _os_device(self) -> Volume | None:
        """The volume that the default loader's `osdevice` means, where it is on a disk at hand."""
        loader = self.boot.loader
        element = loader.element("osdevice") if loader else None
        device = element.sound_value if element else None
        if not isinstance(device, Device):
            return None
        if isinstance(device.target, Boot):
            return self.boot.volume
        return next((volume for volume in self.volumes if is_device(volume, device)), None)

    def _letters(self) -> dict[str, Volume]:
        letters = drive_letters(self.mounted_devices, self.volumes)
        if self.os and self.os.volume not in letters.values():
            # a copied disk may have a new id that the hive doesn't know; Windows calls its own volume as ever
            letters.setdefault(self.os.system_drive or OS_LETTER, self.os.volume)
        return letters

    @cached_property
    def mounted_devices(self) -> dict[str, RegistryData]:
        """The values that say which letter means which volume; none where a link hides them."""
        if self.os is None:
            return {}
        try:
            key = self.os.system.key("MountedDevices")
        except LinkError as error:
            self.os.warnings.append(f"the letters of volumes are not known: {error}")
            return {}
        return key.values() if key else {}


def is_device(volume: Volume, device: Device) -> bool:
    """Whether a BCD device element means this volume's partition."""
    target = device.target
    if not isinstance(target, Partition):
        return False
    place = volume.partition.guid if target.style is Style.GPT else volume.partition.start
    return (target.disk, target.partition) == (volume.disk.table.disk_id, place)
