"""A volume: one partition of a disk that is at hand, with its file system read on demand."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from vmrescue.errors import FormatError, RefusedError, UnsupportedError
from vmrescue.volume import identify
from vmrescue.windows.file_system import FileSystem, open_file_system

if TYPE_CHECKING:
    from vmrescue.fat.state import VolumeState as FatState
    from vmrescue.ntfs import VolumeState as NtfsState
    from vmrescue.volume import Partition, Window
    from vmrescue.windows.disk import Disk


class State(NamedTuple):
    """In what state a volume is: ``clean``, ``dirty``, ``log pending``, ``hibernated``, ``encrypted``, ``damaged``."""

    name: str
    reasons: list[str]


class Volume:
    """A partition of `disk` as a volume.

    Attributes:
        letter: the guest's own drive letter for it (``"C:"``), where Windows has assigned one; set by the installation.
    """

    def __init__(self, disk: Disk, partition: Partition) -> None:
        self.disk = disk
        self.partition = partition
        self.letter: str | None = None

    @property
    def disk_index(self) -> int:
        return self.disk.index

    @property
    def position(self) -> int:
        """The first byte of the volume on its disk."""
        return self.partition.start

    @cached_property
    def device(self) -> Window:
        """The volume's bytes."""
        return self.partition.open(self.disk.device)

    @cached_property
    def file_system(self) -> str | None:
        """``NTFS``, ``FAT32``, ``BitLocker``, …; None where nothing known is there."""
        return identify(self.device)

    @cached_property
    def files(self) -> FileSystem:
        """Raises UnsupportedError for a file system that cannot be read."""
        return open_file_system(self.device, self.file_system, self.position)

    @cached_property
    def state(self) -> State:
        """In what state Windows left it; what holds no known file system is clean."""
        try:
            found = self._read_state()
        except (FormatError, UnsupportedError) as error:
            return State("damaged", [str(error)])
        return State(found.name, found.reasons) if found else State("clean", [])

    def _read_state(self) -> NtfsState | FatState | None:
        if self.file_system in ("NTFS", "BitLocker"):
            from vmrescue.ntfs import volume_state

            return volume_state(self.device)
        if self.readable:
            from vmrescue.fat import FatVolume

            return FatVolume(self.device).state
        return None

    @property
    def readable(self) -> bool:
        return self.file_system in ("NTFS", "FAT12", "FAT16", "FAT32")

    @property
    def refusal(self) -> str | None:
        """Why nothing on it is changed, whatever it holds and however sound it is; None where it may be."""
        part_of, type_name = self.partition.part_of, self.partition.type_name
        if part_of is None:
            return None
        return (
            f"{self} ({type_name}) is a part of {part_of}: what lies in it may be a piece of a spanned, striped or "
            "mirrored volume, so that it is read at most, and nothing in it is changed"
        )

    def must_be_whole(self) -> None:
        """Raises RefusedError where nothing on it is changed."""
        if self.refusal:
            raise RefusedError(self.refusal)

    def __str__(self) -> str:
        disk = f" of data disk {self.disk.index}" if self.disk.index else ""
        letter = f" ({self.letter})" if self.letter else ""
        return f"partition {self.partition.number}{disk}{letter}"
