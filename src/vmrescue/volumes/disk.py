"""A disk that is at hand: its container, its partition table, its volumes."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Self

from vmrescue.plan import ImageIdentity
from vmrescue.volume import read_partition_table
from vmrescue.volumes.volume import Volume

if TYPE_CHECKING:
    from vmrescue.image import VirtualDisk
    from vmrescue.volume import PartitionTable


class Disk:
    """An opened disk.

    Args:
        device: the virtual disk; its owner closes it.
        path: where the image lies, for reports.
        index: 0 for the image that is diagnosed, then 1, 2, … for the data disks given with it.
        table: its partitions, where they are known; else they are read.
    """

    def __init__(self, device: VirtualDisk, path: str, index: int = 0, table: PartitionTable | None = None) -> None:
        self.device = device
        self.path = path
        self.index = index
        self.table = table or read_partition_table(device)
        self.volumes = [Volume(self, partition) for partition in self.table.partitions if partition.role != "extended"]

    def anew(self) -> Self:
        """The same disk as it is now, with nothing remembered: neither its table nor what a reader has seen."""
        return type(self)(self.device, self.path, self.index)

    @property
    def id(self) -> str:
        """The MBR signature (eight hexadecimal digits) or the GPT disk GUID, as text; empty for a bare volume."""
        disk_id = self.table.disk_id
        if disk_id is None:
            return ""
        return f"{disk_id:08x}" if isinstance(disk_id, int) else str(disk_id)

    @property
    def identity(self) -> ImageIdentity:
        """What a plan for this disk is for."""
        return ImageIdentity(self.device.size, self.id)

    @property
    def warnings(self) -> list[str]:
        """What was odd about the container and the partition table, though they could be read."""
        parts = (volume.refusal for volume in self.volumes)
        return [*self.device.warnings, *self.table.warnings, *filter(None, parts)]

    @property
    def refusal(self) -> str | None:
        """Why the image is only read, and what makes one of it that is written; None where it is itself."""
        return self.device.refusal

    def volume(self, number: int) -> Volume | None:
        """The volume on partition `number`."""
        return self._by_number.get(number)

    @cached_property
    def _by_number(self) -> dict[int, Volume]:
        return {volume.partition.number: volume for volume in reversed(self.volumes)}
