"""The boot stores and Windows installations on a set of disks, and which of them boots.

The Windows that boots is the one that the default loader of the boot store names. If that leads nowhere, the content of
the volumes decides; `OperatingSystem.way` says how it was found. A missing or damaged part is a fault of that part
(`BootStore.fault`, `OperatingSystem.fault`, `Installation.unreadable`) and does not hide the others.
"""

from __future__ import annotations

from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.errors import NotFoundError, ReadError, UsageError, VmRescueError
from vmrescue.log import logger
from vmrescue.upcase import upper
from vmrescue.windows.ahead import announce_volumes, announce_windows
from vmrescue.windows.boot_store import MOST, BootStore, find_boot_stores, mark, why_no_store
from vmrescue.windows.drives import Drives
from vmrescue.windows.loaders import loaders_of
from vmrescue.windows.mounted_devices import drive_letters
from vmrescue.windows.operating_system import CONFIG, DEFAULT_ROOT, OLD_ROOT, OperatingSystem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmrescue.plan import RegistryData
    from vmrescue.volumes.disk import Disk, Volume
    from vmrescue.windows.loaders import Loader
    from vmrescue.windows.registry_file import RegistryFile

LOG = logger("windows")
OS_LETTER = "C:"
MOST_FOLDERS = 200  # most folders of a volume's root that are searched for a Windows with an unusual name


@dataclass(frozen=True)
class Choice:
    r"""What the user says boots, if the disk says something else or nothing: ``2`` or ``2:\Boot\BCD``.

    Args:
        store: the partition of the boot store, optionally with its path.
        windows: the partition of Windows, optionally with its folder.
    """

    store: str | None = None
    windows: str | None = None


NOTHING_SAID = Choice()


class Installation:
    """The Windows installation on the disks at hand.

    Args:
        disks: the image first, then the data disks given with it.
        choice: which store and which Windows boot, according to the user.

    Attributes:
        stores: every boot store of the image, the one that boots first.
        loaders: every boot loader in the stores; those of the store that boots first, beginning with its default.
        systems: every Windows, the one that boots first, if it is at hand.
        os: the Windows that boots; None if it is encrypted, damaged or missing.
        encrypted: the volumes that BitLocker or another product encrypts; if `os` is None, the OS volume may be one.
        unreadable: the volumes that could not be read, with the reasons.
        letters: the guest's drive letters of the volumes at hand.
        warnings: oddities of parts that could be read nevertheless.

    Raises:
        NotFoundError: there is no store or Windows where `choice` says.
        ReadError: the machine could not read the image.
    """

    def __init__(self, disks: list[Disk], choice: Choice = NOTHING_SAID) -> None:
        self.disks = disks
        self.choice = choice
        for disk in disks:
            announce_volumes(disk)
        announce_windows(self.volumes)
        self.encrypted = [volume for volume in self.volumes if volume.is_encrypted]
        self.stores, self.unreadable = find_boot_stores(disks[0])
        if choice.store is not None:
            self._choose_store(choice.store)
        self.warnings: list[str] = []
        self.loaders = [loader for store in self.stores for loader in self._loaders(store)]
        self.systems = self._find_systems()
        self.os = self._find_os()
        self.letters = self._letters()
        for letter, volume in self.letters.items():
            volume.letter = letter
        self._tell()

    @classmethod
    def of(cls, disks: list[Disk], choice: Choice = NOTHING_SAID) -> Installation:
        """The installation on these disk objects, found once and kept with them. Raises as the constructor."""
        asked = cls, tuple(disks), choice
        if asked not in disks[0].found:
            disks[0].found[asked] = cls(disks, choice)
        found: Installation = disks[0].found[asked]
        return found

    def _tell(self) -> None:
        for volume in self.volumes:
            LOG.debug(
                "%s: %s, %s",
                volume,
                volume.file_system or "no file system known",
                self.unreadable.get(volume, "readable"),
            )
        for store in self.stores:
            LOG.info("%s: %s, found %s", store, "boots" if store.boots else "does not boot", store.way)
        for system in self.systems:
            LOG.info("%s: %s", system, f"boots, {system.way}" if system.boots else "does not boot")
        LOG.debug("letters: %s", ", ".join(f"{letter} {volume}" for letter, volume in self.letters.items()) or "none")

    @property
    def volumes(self) -> list[Volume]:
        return [volume for disk in self.disks for volume in disk.volumes]

    @property
    def generation(self) -> int | None:
        """The VM's generation, by the partition style, as for the firmware; for a bare volume, by its boot store."""
        style = self.disks[0].table.style
        if style == "none":
            return self.stores[0].generation if self.stores else None
        return 2 if style == "GPT" else 1

    @cached_property
    def drives(self) -> Drives:
        """What each letter of the guest stands for, at hand or not."""
        windows = (self.os.volume, self.os.root) if self.os else None
        return Drives(self.mounted_devices, self.letters, windows)

    @property
    def boot(self) -> BootStore:
        """The store that boots; it may have a `fault`. Raises NotFoundError if there is none."""
        if not self.stores:
            raise NotFoundError(why_no_store(self.disks[0], self.unreadable))
        return self.stores[0]

    @property
    def hives(self) -> list[RegistryFile]:
        """The hives that are always opened, if they can be read: the boot stores, and SYSTEM."""
        stores = [store.hive for store in self.stores if not store.fault]
        return [*stores, *([self.os.system] if self.os and not self.os.fault else [])]

    @property
    def locked(self) -> str | None:
        """The reason, if the Windows that boots cannot be read because it is encrypted; else None."""
        meant = self.default_loader
        if self.os is not None or not self.encrypted or (meant and meant.volume in self.unreadable):
            return None
        places = ", ".join(f"{volume} at byte {volume.position}" for volume in self.encrypted)
        by = " or ".join(dict.fromkeys(str(volume.file_system) for volume in self.encrypted))
        return f"the OS volume is encrypted with {by} ({places}): unlock it first"

    @property
    def has_bitlocker(self) -> bool:
        return any(volume.file_system == "BitLocker" for volume in self.encrypted)

    @property
    def may_hide_store(self) -> bool:
        """Whether a store that is not found may lie in an encrypted volume: BitLocker leaves that in the clear."""
        return any(volume.file_system != "BitLocker" and not volume.disk_index for volume in self.encrypted)

    @property
    def why_no_windows(self) -> str | None:
        """Why the Windows that boots is not at hand; None if it is."""
        if self.os is not None:
            return None
        if self.locked:
            return self.locked
        meant = self.default_loader
        if meant and meant.volume in self.unreadable:
            return f"{meant} names {meant.volume}, which cannot be read: {self.unreadable[meant.volume]}"
        looked = [volume for volume in self.volumes if volume.readable and volume not in self.unreadable]
        others = [f"{volume} cannot be read: {error}" for volume, error in self.unreadable.items()]
        others += [
            f"{volume} holds {volume.file_system or 'no known file system'}"
            for volume in self.volumes
            if not volume.readable and volume.partition.role == "basic data"
        ]
        root = (meant.root if meant else None) or DEFAULT_ROOT
        where = ", ".join(map(str, looked)) or "any volume"
        return "; ".join([f"no Windows: there is no \\{root}\\{CONFIG}\\SYSTEM on {where}", *others])

    @property
    def is_nothing(self) -> bool:
        """Whether everything could be read, and no part of a Windows was found."""
        unknown = any(each.partition.role == "basic data" and not each.file_system for each in self.disks[0].volumes)
        return not (self.stores or self.systems or self.encrypted or self.unreadable or unknown)

    @property
    def why_nothing(self) -> str:
        """The error text if no part of a Windows was found."""
        return f"{why_no_store(self.disks[0], {})}; {self.why_no_windows}"

    def instead(self, store: BootStore | None = None, windows: OperatingSystem | None = None) -> Installation:
        """The same installation with another store or another Windows as the one that boots."""
        other = copy(self)
        if store is not None:
            other.stores = [store, *(each for each in self.stores if each is not store)]
        if windows is not None:
            other.os = windows
            for remembered in ("drives", "mounted_devices"):
                vars(other).pop(remembered, None)
            other.letters = other._letters()
        return other

    def _choose_store(self, said: str) -> None:
        volume, path = self._place(said)
        found = [each for each in self.stores if each.volume is volume and path in (None, upper(each.path))]
        if not found and path is not None:
            found = [BootStore(volume, said.partition(":")[2].strip("\\"), way="as was said")]
            found = found if volume.readable and volume.has_file(found[0].path) else []
        if not found:
            known = ", ".join(map(str, self.stores)) or "none"
            raise NotFoundError(f"there is no boot store at {said}; there are {known}")
        found[0].way = "as was said"
        self.stores = [found[0], *(each for each in self.stores if each is not found[0])]
        mark(self.stores, found[:1])
        for store in self.stores:
            store.may_boot = store.boots

    def _place(self, said: str) -> tuple[Volume, str | None]:
        number, _, path = said.partition(":")
        volume = self.disks[0].volume(int(number)) if number.isascii() and number.isdigit() else None
        if volume is None:
            known = ", ".join(str(each.partition.number) for each in self.disks[0].volumes)
            raise NotFoundError(f"there is no partition {number!r:.40}; there are {known or 'none'}")
        return volume, upper(path.strip("\\")) or None

    @property
    def default_loader(self) -> Loader | None:
        """The default loader of the store that boots."""
        first = self.loaders[0] if self.loaders else None
        return first if first and first.default and first.store is self.stores[0] else None

    def _loaders(self, store: BootStore) -> list[Loader]:
        try:
            return loaders_of(store, self.volumes)
        except ReadError:
            raise
        except VmRescueError as error:
            self.warnings.append(f"the loaders of {store} are not known: {error}")
            return []

    def _find_systems(self) -> list[OperatingSystem]:
        """Every Windows that a loader names, or that is in the usual folder of a volume, or in that of older ones."""
        roots = {upper(root): root for root in [DEFAULT_ROOT, *(each.root for each in self.loaders if each.root)]}
        found = [system for volume in self.volumes for system in self._systems_on(volume, roots.values())]
        if not found:
            found = [system for volume in self.volumes for system in self._systems_on(volume, self._folders(volume))]
        elif OLD_ROOT not in roots:
            found += [system for volume in self.volumes for system in self._systems_on(volume, [OLD_ROOT])]
        for system in found:
            system.loader = next((each for each in self.loaders if _starts(each, system)), None)
        return found[:MOST]

    def _systems_on(self, volume: Volume, roots: Iterable[str]) -> Iterator[OperatingSystem]:
        """The Windows folders with a config folder, with or without a SYSTEM hive in it."""
        if not volume.readable or volume in self.unreadable:
            return
        for root in roots:
            try:
                there = volume.has_folder(f"{root}\\{CONFIG}")
            except UsageError:  # names that differ only in case; opening its hives reports it
                yield OperatingSystem(volume, root)
                continue
            except ReadError:
                raise
            except VmRescueError as error:
                self.unreadable[volume] = error
                return
            if there:
                yield OperatingSystem(volume, root)

    def _folders(self, volume: Volume) -> list[str]:
        """The folders in the root of a volume."""
        if not volume.readable or volume in self.unreadable:
            return []
        try:
            return [entry.name for entry in volume.files.entries("") if entry.is_directory][:MOST_FOLDERS]
        except ReadError:
            raise
        except VmRescueError as error:
            self.unreadable[volume] = error
            return []

    def _find_os(self) -> OperatingSystem | None:
        """The Windows that boots, which is then the first of `systems`."""
        found, way = self._said_system() if self.choice.windows is not None else self._named_system()
        if found is not None:
            found.way, found.boots = way, True
            self.systems = [found, *(each for each in self.systems if each is not found)]
        return found

    def _said_system(self) -> tuple[OperatingSystem, str]:
        said = self.choice.windows or ""
        volume, root = self._place(said)
        found = [each for each in self.systems if each.volume is volume and root in (None, upper(each.root))]
        if not found and root is not None:
            found = list(self._systems_on(volume, [said.partition(":")[2].strip("\\")]))
        if not found:
            raise NotFoundError(
                f"there is no Windows at {said}; there are {', '.join(map(str, self.systems)) or 'none'}"
            )
        return found[0], "as was said"

    def _named_system(self) -> tuple[OperatingSystem | None, str]:
        """The Windows that the default loader names; if that leads nowhere, the likeliest one; and how it was found."""
        meant = self.default_loader
        if meant:
            if found := next((each for each in self.systems if _starts(meant, each)), None):
                return found, f"{meant} names it"
            if meant.volume and (meant.volume in self.unreadable or meant.volume.is_encrypted):
                return None, ""
        likeliest = sorted(self.systems, key=lambda each: (bool(each.fault), each.loader is None))
        if not likeliest:
            return None, ""
        named = likeliest[0].loader
        why = f"{named} names it" if named else "it lies there"
        if meant is None:
            fault = self.stores[0].fault if self.stores else "there is none"
            return likeliest[0], f"{why}; the boot store does not say which boots" + (f" ({fault})" if fault else "")
        if meant.elsewhere:
            return likeliest[0], f"{why}; {meant} {meant.elsewhere}"
        place = f"\\{meant.root or '?'} on {meant.volume or 'a volume that is not at hand'}"
        return likeliest[0], f"{why}; {meant} names {place}, where no Windows is"

    def _letters(self) -> dict[str, Volume]:
        letters = drive_letters(self.mounted_devices, self.volumes)
        if self.os and self.os.volume not in letters.values():
            # a copied disk may have a new id that is not in the hive; Windows keeps the letter of its own volume
            letters.setdefault(self.os.system_drive or OS_LETTER, self.os.volume)
        return letters

    @cached_property
    def mounted_devices(self) -> dict[str, RegistryData]:
        """The values that map letters to volumes; empty if a link or damage makes them unreadable."""
        if self.os is None or self.os.fault:
            return {}
        try:
            key = self.os.system.key("MountedDevices")
            return key.values() if key else {}
        except ReadError:
            raise
        except VmRescueError as error:
            self.os.warnings.append(f"the letters of volumes are not known: {error}")
            return {}


def _starts(loader: Loader, system: OperatingSystem) -> bool:
    """Whether a loader starts a Windows."""
    return loader.volume is system.volume and upper(loader.root or DEFAULT_ROOT) == upper(system.root)
