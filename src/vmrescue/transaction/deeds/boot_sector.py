"""The boot sector of an NTFS or FAT32 volume, written from its copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.digests import sha256
from vmrescue.errors import RefusedError, RepairFailedError, VmRescueError
from vmrescue.transaction.deeds.deed import find_volume
from vmrescue.transaction.stale import compare

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vmrescue.plan import RestoreBootSector
    from vmrescue.transaction.deeds.deed import Bench
    from vmrescue.windows import Disk


SECTOR_SIZES = (512, 1024, 2048, 4096)  # bytes


class _BootSector:
    whole = True
    together = 1

    def apply(self, changes: Sequence[RestoreBootSector], bench: Bench) -> None:
        from vmrescue.volumes.boot_sector import spare_boot_sector

        [change] = changes
        volume = bench.volume(change.file)
        spare = spare_boot_sector(volume)
        if spare is None:
            raise RefusedError(f"cannot {change.title}: {volume} has no copy that is better than its first sector")
        compare(change, change.before, sha256([spare.first]))
        compare(change, change.after, sha256([spare.copy]))
        volume.device.write_at(0, spare.copy)

    def confirm(self, changes: Sequence[RestoreBootSector], disks: list[Disk]) -> None:
        from vmrescue.readers.fat.file_system import FatFileSystem
        from vmrescue.readers.ntfs.file_system import NtfsFileSystem

        [change] = changes
        volume = find_volume(disks, change.file)
        reader = NtfsFileSystem if volume.file_system == "NTFS" else FatFileSystem
        try:
            reader(volume.device, volume.position).entries("")
        except VmRescueError as error:
            raise RepairFailedError(
                f"cannot confirm: {change.title}: the readers do not open {volume}: {error}"
            ) from error
        if change.after not in (sha256([volume.device.read_at(0, size)]) for size in SECTOR_SIZES):
            raise RepairFailedError(f"cannot confirm: {change.title}: the first sector of {volume} is another one")

    def backs_up(self, changes: Sequence[RestoreBootSector]) -> bool:
        return False


DEED = _BootSector()
