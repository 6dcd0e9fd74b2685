"""The boot loaders that a store lists: which Windows each would start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmrescue import file_path
from vmrescue.bcd import Boot, Device, Partition, Style

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmrescue.bcd import BcdObject
    from vmrescue.volumes.disk import Volume
    from vmrescue.windows.boot_store import BootStore

NOT_IN_NAMES = frozenset('<>:"|?*')  # a text with one of these is no folder of Windows
LONGEST_NAME = 255  # characters
DESCRIPTION = 0x12000004  # BcdLibraryString_Description
MOST = 64  # of a store: it is text out of an image


@dataclass(frozen=True)
class Loader:
    """A boot loader's entry.

    Attributes:
        store, entry: where it stands.
        default: whether it is the one that the boot manager starts by itself.
        volume: what its `osdevice` means, where that is at hand; None where it is not, or means nothing.
        root: its `systemroot`, without a leading backslash; None where that is no folder's path.
    """

    store: BootStore
    entry: BcdObject
    default: bool
    volume: Volume | None
    root: str | None

    @property
    def fault(self) -> str | None:
        """Why it starts no Windows, wherever one is; None where its elements mean something."""
        element = self.entry.element("osdevice")
        if element is None:
            return "it has no osdevice"
        if element.fault or not isinstance(element.sound_value, Device):
            return f"its osdevice means nothing ({element.fault or 'no device'})"
        return None if self.root else "its systemroot is missing, or no folder's path"

    @property
    def description(self) -> str:
        """What the boot menu calls it; perhaps empty."""
        element = self.entry.element(DESCRIPTION)
        return str(element.sound_value or "") if element else ""

    def __str__(self) -> str:
        return f"{'the default loader' if self.default else 'the loader'} {self.entry.identifier} of {self.store}"


def loaders_of(store: BootStore, volumes: Iterable[Volume]) -> list[Loader]:
    """The loaders of a store that can be read, the default one first; none where it can't."""
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
    element = entry.element("osdevice")
    device = element.sound_value if element else None
    if not isinstance(device, Device):
        return None
    if isinstance(device.target, Boot):
        return store.volume
    return next((volume for volume in volumes if is_device(volume, device)), None)


def _root(entry: BcdObject) -> str | None:
    element = entry.element("systemroot")
    parts = file_path.split(str(element.sound_value or "")) if element else []
    odd = any(part in (".", "..") or NOT_IN_NAMES & set(part) or len(part) > LONGEST_NAME for part in parts)
    return None if odd or not parts else "\\".join(parts)


def is_device(volume: Volume, device: Device) -> bool:
    """Whether a BCD device element means this volume's partition."""
    return isinstance(device.target, Partition) and device.target == partition_of(volume)


def partition_of(volume: Volume) -> Partition | None:
    """What a boot device says of this volume's partition; None on a bare volume, which has no such name."""
    disk = volume.disk.table.disk_id
    if isinstance(disk, int):
        return Partition(Style.MBR, disk, volume.partition.start)
    guid = volume.partition.guid
    return Partition(Style.GPT, disk, guid) if disk is not None and guid is not None else None
