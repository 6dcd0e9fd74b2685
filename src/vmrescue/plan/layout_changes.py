"""Changes of a disk's layout: its length, its partitions, and how long the volumes in them are."""

from __future__ import annotations

from vmrescue.arguments import typed
from vmrescue.dataclass import dataclass
from vmrescue.plan.change import Change, Needs, Stage


@typed
@dataclass(frozen=True)
class ExpandDisk(Change):
    """Make a disk longer, its container and its partition table; sizes are in bytes. `file` has no path."""

    kind = "expand-disk"
    needs = Needs.CONTAINER
    stage = Stage.LAYOUT
    before: int
    after: int

    @property
    def title(self) -> str:
        return "make the disk longer"


@typed
@dataclass(frozen=True)
class ExpandVolume(Change):
    """Make a partition longer, and the NTFS volume in it; sizes are the partition's, in bytes. `file` has no path.

    Where both are the same, the volume alone is made longer: as long as its partition is.
    """

    kind = "expand-volume"
    stage = Stage.LAYOUT
    before: int
    after: int

    @property
    def title(self) -> str:
        return "make the partition and its volume longer"


@typed
@dataclass(frozen=True)
class MovePartition(Change):
    """Move a partition, with all that is in it, to another place; bytes of the disk. `file` has no path."""

    kind = "move-partition"
    needs = Needs.CONTAINER
    stage = Stage.LAYOUT
    before: int
    after: int

    @property
    def title(self) -> str:
        return "move the partition"

    @property
    def before_text(self) -> str:
        return f"at byte {self.before}"

    @property
    def after_text(self) -> str:
        return f"at byte {self.after}"


@typed
@dataclass(frozen=True)
class SetActive(Change):
    """Make one partition of an MBR the active one, from which a BIOS starts.

    `file` has no path; `before` names the partitions that are active, by their numbers, and `after` is the one that is
    to be.
    """

    kind = "set-active"
    needs = Needs.CONTAINER
    stage = Stage.LAYOUT
    before: str
    after: int

    @property
    def title(self) -> str:
        return f"make partition {self.after} the active one"

    @property
    def before_text(self) -> str:
        return f"active: {self.before}"

    @property
    def after_text(self) -> str:
        return f"active: {self.after}"


@typed
@dataclass(frozen=True)
class RestorePartitionTable(Change):
    """Write the broken parts of a GPT anew from the copy that is sound. `file` has no path, and no partition.

    `before` names the parts: the protective MBR, the primary copy, the backup.
    """

    kind = "restore-partition-table"
    needs = Needs.CONTAINER
    stage = Stage.LAYOUT
    before: str

    @property
    def title(self) -> str:
        return "write the broken parts of the GPT from its sound copy"

    @property
    def before_text(self) -> str:
        return f"broken: {self.before}"

    @property
    def after_text(self) -> str:
        return "as the sound copy says"


@typed
@dataclass(frozen=True)
class SetPartitionType(Change):
    """Say in a GPT what a partition is for. `file` has no path; both are GUIDs of types, without braces."""

    kind = "set-partition-type"
    needs = Needs.CONTAINER
    stage = Stage.LAYOUT
    before: str
    after: str

    @property
    def title(self) -> str:
        return "set the partition's type"
