"""What a fact is about, as data: what a check needs to mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass

if TYPE_CHECKING:
    from uuid import UUID

    from vmrescue.bcd import Device
    from vmrescue.rehearsal.files import Fault
    from vmrescue.volumes.disk import Volume
    from vmrescue.windows import OperatingSystem


@dataclass(frozen=True)
class LostDevice:
    """A device element that names no partition at hand.

    Attributes:
        object, element: which element of the boot store.
        device: what it names; None where the element is missing or means nothing.
        candidates: the partitions at hand that hold what is looked for there; one alone is surely meant.
    """

    object: UUID
    element: int
    device: Device | None
    candidates: tuple[Volume, ...]


@dataclass(frozen=True)
class LostObject:
    """A reference in the boot store (``default``, ``displayorder``) to an object that is not there.

    Attributes:
        element: of the boot manager's object.
        missing: the objects that are named and are not there.
        candidates: the loaders that there are.
    """

    element: int
    missing: tuple[UUID, ...]
    candidates: tuple[UUID, ...]


@dataclass(frozen=True)
class BadFile:
    """A file that the path needs and that is missing or bad."""

    volume: Volume
    path: str
    fault: Fault


@dataclass(frozen=True)
class PackedFile:
    """A whole file that NTFS has compressed, where it must not be."""

    volume: Volume
    path: str


@dataclass(frozen=True)
class BadHive:
    """A hive without which Windows does not start, and that is missing or does not load."""

    windows: OperatingSystem
    name: str


@dataclass(frozen=True)
class BadService:
    """A driver that is not loaded as it has to be.

    Attributes:
        control_set, name: its key below Services.
        start: the start value that counts; None where the key or the value is missing.
        overridden: the names of the values of StartOverride that differ from 0.
        file: its file, where that is what is wrong.
        critical: whether the path ends for it.
        expected: whether its key says that it may be missing: ErrorControl, or StartOverride.
    """

    control_set: str
    name: str
    start: int | None
    overridden: tuple[str, ...] = ()
    file: BadFile | None = None
    critical: bool = True
    expected: bool = False


@dataclass(frozen=True)
class LostFilter:
    """A filter of a device class that names a driver which is missing or off."""

    control_set: str
    class_guid: str
    value: str
    driver: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class HiddenSectors:
    """Where a volume says that it begins, and where it does; in sectors of the disk."""

    volume: Volume
    found: int
    wanted: int


@dataclass(frozen=True)
class LostType:
    """An EFI system partition that has another type: which partitions hold a boot manager of UEFI."""

    candidates: tuple[Volume, ...]


@dataclass(frozen=True)
class LeftOn:
    """An element of the entry that is started, with which Windows starts other than it usually does."""

    element: int


@dataclass(frozen=True)
class BootPrograms:
    """What BootExecute of a control set names, where that is not as usual."""

    control_set: str


@dataclass(frozen=True)
class DirtyHive:
    """A hive that was not written completely, and has no log that completes it."""

    volume: Volume
    path: str


@dataclass(frozen=True)
class ActiveFlag:
    """Which partitions of an MBR are active, and which have a boot manager."""

    active: tuple[int, ...]
    candidates: tuple[int, ...]


@dataclass(frozen=True)
class Withheld:
    """Memory that is missing, and the elements of the boot store that keep it back, as object and id.

    Attributes:
        elements: without any one of them there is room; or, `together`, without all of them.
    """

    elements: tuple[tuple[UUID, int], ...]
    together: bool = False
