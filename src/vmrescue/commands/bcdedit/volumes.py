"""How bcdedit names volumes, and finds them again: by letter (``C:``) or by path (``\\Device\\HarddiskVolume2``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from vmrescue.bcd.device import Partition


class Volumes(Protocol):
    """The volumes of the machine that the store belongs to."""

    def name(self, partition: Partition) -> str | None:
        """The partition's letter, or else its device path; None where no disk at hand has it."""

    def partition(self, name: str) -> Partition | None:
        """The partition with this letter or device path, in any case; None where there is none."""


class NoVolumes:
    """A bare store: to bcdedit all its partitions are ``unknown``."""

    def name(self, _partition: Partition) -> None:
        return None

    def partition(self, _name: str) -> None:
        return None
