"""What a diagnosis says of a disk, of the Windows on it, and of its volumes: as data that outlives the open disk."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from vmrescue.dataclass import dataclass
from vmrescue.errors import FormatError, NotFoundError, UnsupportedError

if TYPE_CHECKING:
    from vmrescue.windows import BootStore, Disk, Installation, Loader, OperatingSystem, Volume


@dataclass(frozen=True)
class DiskFacts:
    """The image's disk.

    Attributes:
        format: the container, such as ``fixed VHD``.
        size: bytes of the virtual disk.
        style: ``MBR``, ``GPT`` or ``none``.
        id: MBR signature in hexadecimal, or GPT disk GUID; empty for a bare volume.
    """

    format: str
    size: int
    sector_size: int
    style: str
    id: str

    @classmethod
    def of(cls, disk: Disk) -> DiskFacts:
        return cls(disk.device.format, disk.device.size, disk.table.sector_size, disk.table.style, disk.id)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class WindowsFacts:
    """What the installation that boots says of itself; None where it does not.

    Attributes:
        root: the folder of Windows on its volume.
        os_volume, boot_volume: the numbers of the partitions of Windows and of the boot store; None without a store.
        boot_store: the store's path on its volume; None where there is none.
        way: how it was found: what the boot store says, what the volumes hold, or what was said.
    """

    product: str | None
    edition: str | None
    version: str | None
    build: str | None
    computer_name: str | None
    root: str
    control_sets: tuple[str, ...]
    current_control_set: str | None
    os_volume: int
    boot_volume: int | None
    boot_store: str | None
    way: str = ""

    @classmethod
    def of(cls, installation: Installation) -> WindowsFacts | None:
        """None where the volume of Windows is encrypted or damaged, or there is none."""
        windows = installation.os
        if windows is None:
            return None
        product = windows.product
        store = installation.stores[0] if installation.stores else None
        return cls(
            product=product.name,
            edition=product.edition,
            version=product.version,
            build=product.build,
            computer_name=windows.computer_name,
            root=windows.root,
            control_sets=() if windows.fault else tuple(windows.control_sets),
            current_control_set=windows.current_control_set_if_known,
            os_volume=windows.volume.partition.number,
            boot_volume=store.volume.partition.number if store else None,
            boot_store=store.path if store else None,
            way=windows.way,
        )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"control_sets": list(self.control_sets)}


@dataclass(frozen=True)
class StoreFacts:
    """A boot store of the image.

    Attributes:
        partition, path: where it lies.
        boots: whether it is the one that boots; `may_boot`: whether the disk does not tell it apart from that one.
        way: how it was found.
        fault: why it cannot be read; None where it can.
    """

    partition: int
    path: str
    boots: bool
    may_boot: bool
    way: str
    fault: str | None

    @classmethod
    def of(cls, store: BootStore) -> StoreFacts:
        return cls(store.volume.partition.number, store.path, store.boots, store.may_boot, store.way, store.fault)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class SystemFacts:
    """A Windows on one of the disks.

    Attributes:
        disk, partition, root: where it lies.
        boots: whether it is the one that boots.
        way: of the one that boots, how that was told.
        fault: why its SYSTEM hive cannot be read; None where it can.
    """

    disk: int
    partition: int
    root: str
    boots: bool
    way: str
    fault: str | None

    @classmethod
    def of(cls, system: OperatingSystem) -> SystemFacts:
        volume = system.volume
        return cls(volume.disk_index, volume.partition.number, system.root, system.boots, system.way, system.fault)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class LoaderFacts:
    """An entry of a boot store that starts a Windows.

    Attributes:
        store_partition, store: where its store lies.
        entry: its identifier; `description` is what the boot menu calls it.
        default: whether the boot manager starts it by itself.
        disk, partition: the volume that it names; None where that is not at hand.
        root: the folder that it names; None where that is no folder's path.
    """

    store_partition: int
    store: str
    entry: str
    description: str
    default: bool
    disk: int | None
    partition: int | None
    root: str | None

    @classmethod
    def of(cls, loader: Loader) -> LoaderFacts:
        store, volume = loader.store, loader.volume
        return cls(
            store_partition=store.volume.partition.number,
            store=store.path,
            entry=loader.entry.identifier,
            description=loader.description,
            default=loader.default,
            disk=volume.disk_index if volume else None,
            partition=volume.partition.number if volume else None,
            root=loader.root,
        )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class VolumeFacts:
    """A partition of one of the disks, and the volume in it.

    Attributes:
        disk: 0 the image, then the data disks in order.
        partition: its number in the disk's table.
        start, size: in bytes.
        role: what the partition is for; `type` is its type's name, `name` what a GPT calls it.
        letter: the guest's own drive letter.
        label, cluster_size, free: of a volume that can be read; None otherwise. `free` is in bytes.
    """

    disk: int
    partition: int
    start: int
    size: int
    role: str
    type: str
    active: bool
    name: str
    letter: str | None
    file_system: str | None
    label: str | None = None
    cluster_size: int | None = None
    free: int | None = None

    @classmethod
    def of(cls, volume: Volume) -> VolumeFacts:
        """That a volume is damaged is a finding, and no reason to say nothing else."""
        known: dict[str, Any] = {}
        if volume.readable:
            with suppress(FormatError, UnsupportedError, NotFoundError):
                files = volume.files
                known = {"label": files.label, "cluster_size": files.cluster_size, "free": files.free_bytes}
        partition = volume.partition
        return cls(
            disk=volume.disk.index,
            partition=partition.number,
            start=partition.start,
            size=partition.size,
            role=partition.role,
            type=partition.type_name,
            active=partition.active,
            name=partition.name,
            letter=volume.letter,
            file_system=volume.file_system,
            **known,
        )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
