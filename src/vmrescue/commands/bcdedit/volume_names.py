r"""Volumes as bcdedit names them: by the guest's letter, or else ``\Device\HarddiskVolumeN``.

Windows numbers the partitions of all disks in one row, as it meets them: 1 is the first partition of the first disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.windows.loaders import partition_of
from vmrescue.windows.named_paths import DEVICE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmrescue.bcd import Partition
    from vmrescue.volumes.disk import Volume


class VolumeNames:
    """Satisfies `vmrescue.commands.bcdedit.Volumes` with the volumes of the disks at hand, in their order."""

    def __init__(self, volumes: Iterable[Volume]) -> None:
        self._volumes = list(volumes)
        self._names: dict[Partition, str] = {}
        self._by_name: dict[str, Volume] = {}
        for number, volume in enumerate(self._volumes, 1):
            path = f"{DEVICE}{number}"
            self._by_name.setdefault(path.upper(), volume)
            if volume.letter:
                self._by_name.setdefault(volume.letter, volume)
            if (partition := partition_of(volume)) is not None:
                self._names.setdefault(partition, volume.letter or path)

    def name(self, partition: Partition) -> str | None:
        """Its letter, or else its device path; None where no disk at hand has it."""
        return self._names.get(partition)

    def partition(self, name: str) -> Partition | None:
        """The partition with this letter or device path."""
        volume = self.volume(name)
        return partition_of(volume) if volume else None

    def volume(self, name: str) -> Volume | None:
        """The volume with this letter or device path, in any case."""
        return self._by_name.get(name.upper())
