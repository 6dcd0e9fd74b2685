"""What the stages share: the parts of an installation that the boot path uses, each looked for when it is needed.

A part that is not there raises `NotFoundError`, whose text says why; the stage that asked is then unknown.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from vmrescue.bcd import Boot, Device, Partition
from vmrescue.bcd.device import RamDisk, encode
from vmrescue.dataclass import dataclass
from vmrescue.errors import NotFoundError
from vmrescue.readers.hive.children import children
from vmrescue.rehearsal.files import Fault, FaultKind, fault_of_file, machine_of_windows
from vmrescue.rehearsal.services import Services
from vmrescue.windows.loaders import is_device

if TYPE_CHECKING:
    from uuid import UUID

    from vmrescue.bcd import BcdObject, Store
    from vmrescue.bcd.device import Target
    from vmrescue.rehearsal.services import Service
    from vmrescue.volumes.disk import Disk, Volume
    from vmrescue.windows import Installation, OperatingSystem
    from vmrescue.windows.boot_store import BootStore

DEVICE, PATH, OS_DEVICE, SYSTEM_ROOT = 0x11000001, 0x12000002, 0x21000001, 0x22000002
SOFTWARE_TRACES = ("GuestAgent", "Windows Azure", "Virtual Machine\\Guest\\Parameters")
BUSES = ("VMBUS", "PCI")
BOOT_SEQUENCE, DEFAULT, DISPLAY_ORDER = 0x24000002, 0x23000003, 0x24000001


@dataclass(frozen=True)
class Place:
    """What a device element means here.

    Attributes:
        device: what it names; None where it is missing or means nothing.
        volume: that volume, where it is at hand.
        ramdisk: the file of a disk in memory, where it is one: its path on `volume`.
        searched: whether it is a search, or something else that only a start resolves.
    """

    device: Device | None
    volume: Volume | None = None
    ramdisk: str | None = None
    searched: bool = False


class Way:
    """The boot path of an installation.

    Args:
        installation: what was found on the disks.
        platform: the machine's hardware, a name out of `platform.PLATFORMS`, or ``auto``.
        ram: the machine's memory in bytes; None where it is not known.
    """

    def __init__(self, installation: Installation, platform: str = "auto", ram: int | None = None) -> None:
        self.installation = installation
        self.platform = platform
        self.ram = ram
        self._faults: dict[str, Fault | None] = {}

    @property
    def disk(self) -> Disk:
        return self.installation.disks[0]

    @property
    def generation(self) -> int:
        """1 (BIOS) or 2 (UEFI). Raises NotFoundError for a bare volume, which no firmware starts from."""
        if self.disk.table.style == "none":
            raise NotFoundError("the image is a bare volume: no firmware starts from it")
        return 2 if self.disk.table.style == "GPT" else 1

    @property
    def boot(self) -> BootStore:
        """The store that the boot manager reads. Raises NotFoundError where there is none that it would."""
        return self.installation.boot

    @cached_property
    def store(self) -> Store:
        return self.boot.store

    @cached_property
    def manager(self) -> BcdObject:
        return self.store.boot_manager

    @cached_property
    def entry(self) -> BcdObject:
        """The loader that is started by itself, after what stands in `bootsequence` once. Raises NotFoundError."""
        return self.store.default_loader()

    def objects(self, owner: BcdObject, element: int) -> list[tuple[UUID, BcdObject | None]]:
        """What an element of an object refers to, in order: each id with its object, if there is one."""
        return [(guid, self.store.find(guid)) for guid in owner.references(element)]

    def place(self, owner: BcdObject, element: int) -> Place:
        """What a device element, inherited ones too, means on the disks at hand."""
        device = owner.device(element)
        if device is None:
            return Place(None)
        match device.target:
            case RamDisk(volume, path):
                return Place(device, self._volume_of(volume), path)
            case Boot() | Partition():
                return Place(device, self._volume_of(device.target))
        return Place(device, searched=True)

    def _volume_of(self, target: Target) -> Volume | None:
        if isinstance(target, Boot):
            return self.boot.volume
        return next((each for each in self.installation.volumes if is_device(each, encode(target))), None)

    def text(self, owner: BcdObject, element: int) -> str:
        """A string element, inherited ones too; empty where there is none."""
        found = owner.inherited(element)
        value = found.sound_value if found else None
        return value if isinstance(value, str) else ""

    def number(self, owner: BcdObject, element: int) -> int | None:
        """An integer or boolean element, inherited ones too; None where there is none."""
        found = owner.inherited(element)
        value = found.sound_value if found else None
        return int(value) if isinstance(value, int) else None

    @cached_property
    def windows(self) -> OperatingSystem:
        """The Windows that the entry starts; where that leads nowhere, the likeliest. Raises NotFoundError."""
        found, meant = self.installation.os, self.installation.default_loader
        named = self.installation.choice.windows is not None or (found is not None and found.loader is meant)
        if meant and not named and meant.is_windows and meant.elsewhere and not meant.starts_in_memory:
            raise NotFoundError(f"{meant} {meant.elsewhere}: what starts there was not looked at")
        if found is None:
            raise NotFoundError(self.installation.why_no_windows or "no Windows was found on these disks")
        if found.before_vista:
            raise NotFoundError(f"{found} is older than Vista (build {found.product.build}): its start is not followed")
        return found

    @cached_property
    def traces(self) -> list[tuple[str, str]]:
        """Of the machines that this Windows ran on: keys below ``Enum``, and of SOFTWARE, as (key, subkey)."""
        system, software = self.windows.system, self.windows.software
        found = [(key, "") for key in SOFTWARE_TRACES if software is not None and software.key(f"Microsoft\\{key}")]
        for bus in BUSES:
            key = system.key(f"{self.control_set}\\Enum\\{bus}")
            found += [(bus, child.name) for child in children(key, ())] if key else []
        return found

    @property
    def system32(self) -> str:
        return f"{self.windows.root}\\System32"

    @cached_property
    def machine(self) -> str | None:
        """The machine that this Windows is for: what two of its first programs say; None where no two agree."""
        try:
            return machine_of_windows(self.windows.volume, self.windows.root)
        except NotFoundError:
            return None

    def path_of(self, service: Service) -> str | None:
        """Where a driver's file lies on the volume of Windows; None where it lies elsewhere."""
        return None if service.has_image_of_another_type else self.installation.drives.of_image(service.path)

    def fault_of(self, service: Service) -> Fault | None:
        """What is wrong with a driver's file, looked at once."""
        if service.name not in self._faults:
            path = self.path_of(service)
            self._faults[service.name] = (
                Fault(FaultKind.UNKNOWN, f"{service.path}: where that lies is not known")
                if path is None
                else fault_of_file(self.windows.volume, path, machine=self.machine)
            )
        return self._faults[service.name]

    @cached_property
    def control_set(self) -> str:
        r"""The control set that the loader takes: the one that ``Select\Default`` names. Raises NotFoundError."""
        number = self.windows.system.number("Select", "Default")
        name = self.control_set_of(number)
        if name is None:
            raise NotFoundError(
                "Select\\Default names no control set" if number is None else f"ControlSet{number:03} is not there"
            )
        return name

    def control_set_of(self, number: int | None) -> str | None:
        """The control set of a number, where it is there."""
        name = None if number is None else f"ControlSet{number:03}"
        return name if name and self.windows.system.key(name) is not None else None

    @cached_property
    def services(self) -> Services:
        return Services(self.windows.system, self.control_set)

    def multi(self, key: str, value: str) -> list[str]:
        """The lines of a value of the control set that boots; none where there is no such value of that type."""
        data = self.windows.system.data(f"{self.control_set}\\{key}", value)
        lines = data.data if data else []
        return [line for line in lines if line] if isinstance(lines, list) else []
