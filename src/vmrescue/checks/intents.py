"""What a finding advises beyond the changes of a plan, as plain data; the command line spells it."""

from __future__ import annotations

from vmrescue.dataclass import dataclass


@dataclass(frozen=True)
class CleanUp:
    """Delete what Disk Cleanup would.

    Args:
        disk: 0 the image itself, then the data disks in order; so in all of these.
    """

    disk: int


@dataclass(frozen=True)
class Expand:
    """Make a disk larger, with a partition and its volume.

    Args:
        size: of the disk, in bytes.
        move_recovery: whether the recovery partition, which is in the way, has to move.
    """

    disk: int
    size: int
    move_recovery: bool = False


@dataclass(frozen=True)
class Defragment:
    """Put files together, or bring the free space together.

    Args:
        files: paths on the volume; none where it is the free space.
    """

    disk: int
    files: tuple[str, ...] = ()
    free_space: bool = False


@dataclass(frozen=True)
class Copy:
    """Make a copy of a disk, which is a fixed VHD."""

    disk: int


@dataclass(frozen=True)
class TakeOut:
    """Copy a file out of a volume.

    Args:
        drive: the guest's letter of the volume (``C:``); None where it has none, and its partition is named.
        path: on the volume.
        target: the file's name outside.
    """

    disk: int
    partition: int
    drive: str | None
    path: str
    target: str


@dataclass(frozen=True)
class PutIn:
    """Give a file of a volume the content of one from outside.

    Args:
        drive, path: as for `TakeOut`.
        source: the file outside; None where the person has to get it.
        own: whether that has to be the VM's own, from a backup, and not another machine's.
    """

    disk: int
    partition: int
    drive: str | None
    path: str
    source: str | None = None
    own: bool = False


@dataclass(frozen=True)
class SetElement:
    """Set an element of an object in the store that boots.

    Args:
        owner, element, value: as bcdedit spells them (``{bootmgr}``, ``default``, ``{…}``).
    """

    disk: int
    owner: str
    element: str
    value: str


Intent = CleanUp | Expand | Defragment | Copy | TakeOut | PutIn | SetElement
