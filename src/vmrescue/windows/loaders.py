"""The boot loaders in a store, and the Windows that each would start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue import file_path
from vmrescue.bcd import Boot, Device, Partition, Style
from vmrescue.bcd.device import Locate, RamDisk, VirtualDisk
from vmrescue.bcd.objects import Application
from vmrescue.dataclass import dataclass
from vmrescue.errors import ReadError, VmRescueError
from vmrescue.upcase import upper
from vmrescue.windows.boot_store import OS_DEVICE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmrescue.bcd import BcdObject
    from vmrescue.volumes.disk import Volume
    from vmrescue.windows.boot_store import BootStore

NOT_IN_NAMES = frozenset('<>:"|?*')  # not allowed in a folder's name
LONGEST_NAME = 255  # characters
DESCRIPTION = 0x12000004  # BcdLibraryString_Description
SETUP = "$WINDOWS.~BT"  # the folder of an upgrade, and of its rollback
MOST = 64  # most loaders of a store that are read; a hostile store may have any number


@dataclass(frozen=True)
class Loader:
    """A boot loader's entry.

    Attributes:
        store, entry: the store and the object in it.
        default: whether the boot manager starts it by default.
        volume: the volume of its `osdevice`; None if it is not at hand or the element is not valid.
        root: its `systemroot`, without a leading backslash; None if that is no folder's path.
    """

    store: BootStore
    entry: BcdObject
    default: bool
    volume: Volume | None
    root: str | None

    @property
    def fault(self) -> str | None:
        """Why it cannot start any Windows; None if its elements are valid, or if it is to start something else."""
        if not self.is_windows:
            return None
        element = self.entry.inherited(OS_DEVICE)
        if element is None:
            return "it has no osdevice"
        if element.fault or not isinstance(element.sound_value, Device):
            return f"its osdevice means nothing ({element.fault or 'no device'})"
        return None if self.root else "its systemroot is missing, or no folder's path"

    @property
    def is_windows(self) -> bool:
        """Whether it is a loader of Windows; others start a boot sector, a test of memory, an older Windows."""
        return self.entry.type.application is Application.OS_LOADER

    @property
    def starts_in_memory(self) -> bool:
        """Whether it starts a disk in memory: Windows RE, or Setup, and no Windows of its own."""
        device = self.entry.device(OS_DEVICE)
        return device is not None and isinstance(device.target, RamDisk)

    def goes_on(self, volumes: Iterable[Volume]) -> bool:
        """Whether it starts a disk in memory that is there, of an upgrade under way or of its rollback."""
        device = self.entry.device(OS_DEVICE)
        if device is None or not isinstance(device.target, RamDisk):
            return False
        place, names = device.target.volume, file_path.split(device.target.path)
        return (
            bool(names)
            and upper(names[0]) == SETUP
            and any(_holds(volume, "\\".join(names)) for volume in volumes if place in (Boot(), partition_of(volume)))
        )

    @property
    def elsewhere(self) -> str | None:
        """What it starts, where that is no folder of a disk; None where it is one, at hand or not."""
        if not self.is_windows:
            return f"is no loader of Windows, but a {self.entry.type.title}"
        device = self.entry.device(OS_DEVICE)
        match device.target if device else None:
            case RamDisk(_, path):
                return f"starts a disk in memory, {path}"
            case VirtualDisk() | Locate(_, _, VirtualDisk()):
                return f"starts a virtual disk, {device}"
            case Boot() | Partition() | None:
                return None
        return None if self.volume else f"starts what is at {device}, which only a start resolves"

    @property
    def description(self) -> str:
        """Its name in the boot menu; may be empty."""
        element = self.entry.element(DESCRIPTION)
        return str(element.sound_value or "") if element else ""

    def __str__(self) -> str:
        return f"{'the default loader' if self.default else 'the loader'} {self.entry.identifier} of {self.store}"


def loaders_of(store: BootStore, volumes: Iterable[Volume]) -> list[Loader]:
    """The loaders of a store, the default one first; empty if the store cannot be read."""
    if store.fault:
        return []
    default = store.loader
    others = [entry for entry in store.store.loaders() if default is None or entry.guid != default.guid]
    at_hand = list(volumes)
    return [
        Loader(store, entry, entry is default, _os_volume(store, entry, at_hand), _root(entry))
        for entry in [*([default] if default else []), *others][:MOST]
    ]


def _os_volume(store: BootStore, entry: BcdObject, volumes: Iterable[Volume]) -> Volume | None:
    device = entry.device(OS_DEVICE)
    match device.target if device else None:
        case None:
            return None
        case Boot():
            return store.volume
        case Locate(_, _, None) as search:
            found = [volume for volume in volumes if _holds(volume, searched_path(entry, search))]
            return found[0] if len(found) == 1 else None
    return next((volume for volume in volumes if device and is_device(volume, device)), None)


def searched_path(entry: BcdObject, search: Locate) -> str:
    """The file or folder that is searched for; empty where the entry does not say it."""
    element = entry.inherited(search.element) if search.element else None
    value = element.sound_value if element else search.path
    return value if isinstance(value, str) else ""


def _holds(volume: Volume, path: str) -> bool:
    """Whether a file or folder is on a volume; one that cannot be read is told of elsewhere."""
    try:
        return bool(path) and volume.readable and volume.files.nature(path) is not None
    except ReadError:
        raise
    except VmRescueError:
        return False


def _root(entry: BcdObject) -> str | None:
    element = entry.inherited("systemroot")
    parts = file_path.split(str(element.sound_value or "")) if element else []
    odd = any(part in (".", "..") or NOT_IN_NAMES & set(part) or len(part) > LONGEST_NAME for part in parts)
    return None if odd or not parts else "\\".join(parts)


def is_device(volume: Volume, device: Device) -> bool:
    """Whether a BCD device element means this volume's partition."""
    return isinstance(device.target, Partition) and device.target == partition_of(volume)


def lasting_partition_of(volume: Volume) -> Partition | None:
    """The same where that name lasts: a disk whose MBR has the signature zero gets another when Windows starts."""
    return partition_of(volume) if volume.disk.table.disk_id else None


def partition_of(volume: Volume) -> Partition | None:
    """This volume's partition as a boot device names it; None for a bare volume, which has no such name."""
    disk = volume.disk.table.disk_id
    if isinstance(disk, int):
        return Partition(Style.MBR, disk, volume.partition.start)
    guid = volume.partition.guid
    return Partition(Style.GPT, disk, guid) if disk is not None and guid is not None else None
