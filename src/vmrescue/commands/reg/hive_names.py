r"""Keys as the guest names them, in the hives of its installation.

``HKLM\SYSTEM``, ``SOFTWARE``, ``SAM``, ``SECURITY``; ``HKLM\BCD00000000``, where Windows loads the boot store;
``HKU\.DEFAULT``; ``HKU\<user>``, by the name of the profile's folder or by SID, found through ProfileList; ``HKCR``,
which is ``HKLM\SOFTWARE\Classes``. Nobody is logged on to an image, so ``HKCU`` means nobody. Beside these there are
the names that a person has given (`loaded_hives`).
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from vmrescue.commands.reg import KeyName
from vmrescue.commands.reg.current_control_set import LINK, through_select
from vmrescue.commands.reg.loaded_hives import LoadedHives
from vmrescue.commands.reg.wow64 import seen_by_32_bit_programs
from vmrescue.errors import NotFoundError, RefusedError, UsageError
from vmrescue.registry import Hive
from vmrescue.registry import path as key_path
from vmrescue.upcase import upper
from vmrescue.windows.operating_system import CURRENT_VERSION
from vmrescue.windows.registry_file import RegistryFile

if TYPE_CHECKING:
    from vmrescue.plan import FileRef
    from vmrescue.volumes.disk import Volume
    from vmrescue.windows.installation import Installation
    from vmrescue.windows.operating_system import OperatingSystem

MACHINE, USERS, CLASSES = "HKEY_LOCAL_MACHINE", "HKEY_USERS", "HKEY_CLASSES_ROOT"
CONFIG_HIVES = ("SAM", "SECURITY", "SOFTWARE", "SYSTEM")
BOOT_STORE = "BCD00000000"
DEFAULT_USER = ".DEFAULT"
LOCAL_SYSTEM = "S-1-5-18"  # the account whose hive is .DEFAULT
PROFILE_LIST = f"{CURRENT_VERSION}\\ProfileList"


class HiveNames:
    """Satisfies `vmrescue.commands.reg.Registry` with the hives of an installation, and those loaded besides.

    Where a key is asked for: RefusedError if the OS volume is encrypted, NotFoundError if there is none, so that the
    hives are out of reach.
    """

    def __init__(self, installation: Installation, loaded: LoadedHives | None = None) -> None:
        self._installation = installation
        self._loaded = loaded or LoadedHives()
        self._files: dict[tuple[int, str], RegistryFile] = {}
        self._hives: dict[FileRef, Hive] = {}

    @property
    def _os(self) -> OperatingSystem:
        installation = self._installation
        if installation.os is None:
            error = RefusedError if installation.locked else NotFoundError
            raise error(installation.why_no_windows or "")
        return installation.os

    def locate(self, name: KeyName, view: int) -> tuple[Hive, str]:
        """The hive as our own reader has it, after the replay of its logs, and the key's path in it."""
        file, path = self.place(name, view)
        return self.hive(file), path

    def hive(self, file: RegistryFile) -> Hive:
        """What a hive's file holds; read once."""
        if file.ref not in self._hives:
            self._hives[file.ref] = file.draft()
        return self._hives[file.ref]

    def control_set_path(self, file: RegistryFile, path: str) -> str:
        """A path in a SYSTEM hive, or one loaded besides, through the link CurrentControlSet."""
        return through_select(path, lambda: file.number("Select", "Current"), lambda: _stored(file))

    def notes(self) -> list[str]:
        """What is to be said of the hives that keys were looked up in."""
        return [note for hive in self._hives.values() for note in hive.notes()]

    def place(self, name: KeyName, view: int) -> tuple[RegistryFile, str]:
        """The hive's file, and the key's path in it."""
        if name.root == CLASSES:
            name = KeyName(MACHINE, "SOFTWARE\\Classes").below(name.path)
        if name.root not in (MACHINE, USERS) or not name.path:
            raise UsageError(f"{name} lies in no hive of an image; name a user's key HKU\\<user>\\…")
        first, *rest = name.parts
        path = key_path.join(rest)
        if (loaded := self._loaded.find(name)) is not None:
            file = self._of_loaded(name, loaded)
            return file, self.control_set_path(file, path)
        if name.root == USERS:
            return self._of_user(first), path
        file = self._of_machine(first.upper())
        if first.upper() == "SYSTEM":
            return file, self.control_set_path(file, path)
        if first.upper() == "SOFTWARE" and view == 32:
            return file, seen_by_32_bit_programs(path)
        return file, path

    def hives(self, root: str) -> list[str]:
        return sorted([*self.own(root), *self._loaded.below(root)], key=str.upper)

    def own(self, root: str) -> list[str]:
        """The names directly below a root that the guest itself gives, sorted."""
        if root == MACHINE:
            return [BOOT_STORE, *(name for name in CONFIG_HIVES if self._is_in_config(name))]
        if root == USERS:
            users = sorted({_folder(path) for path in self._profiles.values()}, key=str.upper)
            return [DEFAULT_USER, *users] if self._is_in_config("DEFAULT") else users
        return []

    def _is_in_config(self, name: str) -> bool:
        return self._os.volume.files.size_of(f"{self._os.config}\\{name}") is not None

    def _of_machine(self, name: str) -> RegistryFile:
        if name == BOOT_STORE:
            store = self._installation.boot
            return self._open(store.volume, store.path)
        if name not in CONFIG_HIVES:
            known = ", ".join(f"HKLM\\{each}" for each in self.hives(MACHINE))
            raise NotFoundError(f"there is no hive HKLM\\{name} in the image; there are {known}")
        return self._open(self._os.volume, f"{self._os.config}\\{name}")

    def _of_loaded(self, name: KeyName, file: FileRef) -> RegistryFile:
        disks = self._installation.disks
        volume = disks[file.disk].volume(file.partition) if file.disk < len(disks) else None
        if volume is None or not volume.readable or volume.files.size_of(file.path) is None:
            raise NotFoundError(f"{name} was loaded from {file}, which is not there any more: unload it")
        return self._open(volume, file.path)

    def _of_user(self, name: str) -> RegistryFile:
        if name.upper().lstrip(".") == "DEFAULT" or name == LOCAL_SYSTEM:
            return self._open(self._os.volume, f"{self._os.config}\\DEFAULT")
        for sid, path in self._profiles.items():
            if name.upper() in (sid.upper(), _folder(path).upper()):
                return self._open(*self._on_volume(path, f"{name}'s profile"))
        known = ", ".join(f"HKU\\{each}" for each in self.hives(USERS))
        raise NotFoundError(f"there is no user {name} in ProfileList; there are {known}")

    @cached_property
    def _profiles(self) -> dict[str, str]:
        """The folders of the users' profiles as ProfileList names them, by SID."""
        listed = self._of_machine("SOFTWARE").key(PROFILE_LIST)
        found = {}
        for key in listed.subkeys() if listed else []:
            data = key.data("ProfileImagePath")
            if data and isinstance(data.data, str) and data.data and key.name != LOCAL_SYSTEM:
                found[key.name] = data.data
        return found

    def _on_volume(self, folder: str, what: str) -> tuple[Volume, str]:
        """The NTUSER.DAT of a profile's folder: its volume, and its path there."""
        place = self._installation.drives.of_path(folder)
        if place is None or place[0].volume is None:
            raise NotFoundError(f"{what} is {folder}, and no volume at hand is {folder[:2].upper()}")
        return place[0].volume, f"{place[1]}\\NTUSER.DAT"

    def _open(self, volume: Volume, path: str) -> RegistryFile:
        """The same object each time, by whichever name it is asked for, so that a hive is read once."""
        place = id(volume), upper(path)
        if place not in self._files:
            if volume.files.size_of(path) is None:
                raise NotFoundError(f"there is no hive \\{path} on {volume}")
            self._files[place] = RegistryFile.of(volume, volume.files.spelled(path))
        return self._files[place]


def _stored(system: RegistryFile) -> bool | None:
    """Whether the hive holds CurrentControlSet as a link; None where, as in Windows, it does not hold it."""
    key = system.stored_key(LINK)
    return key.is_link if key else None


def _folder(path: str) -> str:
    """The last name of a path: what the user is called, for all practical purposes."""
    return path.rstrip("\\").rpartition("\\")[2]
