"""A partition and a partition table as plain data, for MBR and GPT alike."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Literal

from vmrescue.dataclass import dataclass
from vmrescue.volume.partition_types import PARTS_OF, describe_type
from vmrescue.volume.window import Window

if TYPE_CHECKING:
    from uuid import UUID

    from vmrescue.device import BlockDevice
    from vmrescue.volume.partition_types import Role

Style = Literal["MBR", "GPT", "none"]


@dataclass(frozen=True)
class Partition:
    """One partition; `start` and `size` are bytes of the disk.

    Args:
        number: the slot in the table, from 1, as sgdisk and sfdisk count; an MBR's logical partitions begin at 5.
        type: the MBR type byte or the GPT type GUID; 0 for a bare volume, which has no table.
        active: the MBR's boot flag.
        guid: the GPT unique partition GUID; None elsewhere.
        name: the GPT partition name; empty elsewhere.
        attributes: the GPT attribute bits; 0 elsewhere.
    """

    number: int
    start: int
    size: int
    type: int | UUID
    active: bool = False
    guid: UUID | None = None
    name: str = ""
    attributes: int = 0

    @property
    def end(self) -> int:
        """The first byte after the partition."""
        return self.start + self.size

    @property
    def type_name(self) -> str:
        return describe_type(self.type)[0]

    @property
    def role(self) -> Role:
        """What the partition is for, from its type alone."""
        return describe_type(self.type)[1]

    @property
    def part_of(self) -> str | None:
        """What the partition is only a part of, such as a dynamic disk; None if it stands for itself."""
        return PARTS_OF.get(self.role)

    def open(self, device: BlockDevice) -> Window:
        """The partition as a device of its own."""
        return Window(device, self.start, self.size)


@dataclass(frozen=True)
class PartitionTable:
    """A disk's partition table.

    Args:
        style: ``"MBR"``, ``"GPT"``, or ``"none"``: a bare volume, shown as one partition that has the whole device.
        sector_size: the table's unit, in bytes.
        disk_id: the MBR disk signature, or the GPT disk GUID; None for a bare volume.
        partitions: those that are inside the device and overlap no other, sorted by number.
        warnings: sentences for the user: what is broken in the table, and which entries were left out.
        beyond: number -> what is missing of a partition that does not lie wholly inside the disk, as a sentence.
        overlapping: the numbers of those that were left out because they overlap.
        unseen: number -> why UEFI gives no program a partition of a GPT, as part of a sentence.
    """

    style: Style
    sector_size: int
    disk_id: int | UUID | None
    partitions: list[Partition]
    warnings: list[str]
    beyond: dict[int, str] = field(default_factory=dict)
    unseen: dict[int, str] = field(default_factory=dict)
    overlapping: frozenset[int] = frozenset()
