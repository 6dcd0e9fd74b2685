"""Changes: one edit each, as plain data. Nothing here changes an image.

A change says what is to be edited, what was found there (`before`) and what is to be there (`after`). Whoever applies
it first checks that what was found is still so. The kinds stand beside: `hive_changes`, `file_changes`,
`volume_changes`, `layout_changes`. To add a kind: a frozen dataclass with a `kind`, listed in `change_document.KINDS`;
`transaction.deeds` holds the deed, and the look through the readers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum, IntEnum
from typing import ClassVar

from vmrescue.arguments import typed
from vmrescue.dataclass import dataclass
from vmrescue.units import size_text


@typed
@dataclass(frozen=True)
class FileRef:
    """A file: which disk (0 the image itself, then the data disks in order), which partition, which path.

    `partition` is the number in the disk's table, counted from 1; 1 for a bare volume; 0 where the image is itself the
    file, a bare hive. `path` uses backslashes and starts at the volume's root, without a leading one. Without a path it
    is the whole partition, or (0) the whole disk.
    """

    disk: int
    partition: int
    path: str

    def __str__(self) -> str:
        if not self.partition:
            return self.path or ("the disk" if self.disk == 0 else f"data disk {self.disk}")
        where = (
            f"partition {self.partition}" if self.disk == 0 else f"data disk {self.disk}, partition {self.partition}"
        )
        return f"\\{self.path} on {where}" if self.path else where


class Needs(Enum):
    """What a change needs of the place where it is made."""

    NOTHING = "the volume may be in any state"
    CONTENT = "files of the volume may get other bytes where they have their own"
    METADATA = "files of the volume may be created, deleted and resized"
    CONTAINER = "the disk may get longer, and its partition table be changed"


class Stage(IntEnum):
    """When a change is made: what readers and editors see of a disk or a volume as a whole comes before its files."""

    LAYOUT = 1
    LOG = 2
    FILES = 3


@dataclass(frozen=True)
class Change(ABC):
    """What all kinds of changes have in common. `before` and `after`, where a kind has them, are told by their type."""

    kind: ClassVar[str]
    needs: ClassVar[Needs] = Needs.METADATA
    stage: ClassVar[Stage] = Stage.FILES
    file: FileRef

    @property
    @abstractmethod
    def title(self) -> str:
        """What it does, in a line without data."""

    @property
    def before_text(self) -> str:
        """What was found, for a person."""
        return told(getattr(self, "before", None))

    @property
    def after_text(self) -> str:
        """What will be there, for a person."""
        return told(getattr(self, "after", None))


def told(value: object) -> str:
    """A value for a person; a number is of bytes."""
    if value is None:
        return "(absent)"
    if not isinstance(value, int):
        return str(value)
    return f"{value} bytes ({size_text(value)})" if value >= 1024 else size_text(value)
