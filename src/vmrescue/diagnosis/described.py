"""What a diagnosis says of a disk, of the Windows on it, and of its volumes: as data that outlives the open disk."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from vmrescue.errors import FormatError, NotFoundError, UnsupportedError

if TYPE_CHECKING:
    from vmrescue.windows import Disk, Installation, Volume


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
    """What the installation says of itself; None where it does not.

    Attributes:
        root: the folder of Windows on its volume.
        os_volume, boot_volume: the numbers of the partitions of Windows and of the boot store.
        boot_store: the store's path on its volume.
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
    boot_volume: int
    boot_store: str

    @classmethod
    def of(cls, installation: Installation) -> WindowsFacts | None:
        """None where the volume of Windows is encrypted."""
        windows = installation.os
        if windows is None:
            return None
        product = windows.product
        return cls(
            product=product.name,
            edition=product.edition,
            version=product.version,
            build=product.build,
            computer_name=windows.computer_name,
            root=windows.root,
            control_sets=tuple(windows.control_sets),
            current_control_set=windows.current_control_set_if_known,
            os_volume=windows.volume.partition.number,
            boot_volume=installation.boot.volume.partition.number,
            boot_store=installation.boot.hive.path,
        )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"control_sets": list(self.control_sets)}


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
