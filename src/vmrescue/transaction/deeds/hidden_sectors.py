"""Where the boot sector of an NTFS or FAT volume says that it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import RefusedError, RepairFailedError
from vmrescue.transaction.deeds.deed import find_volume
from vmrescue.transaction.stale import compare
from vmrescue.volume.file_system import FATS
from vmrescue.volume.hidden_sectors import hidden_sectors, write_hidden_sectors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vmrescue.plan import SetHiddenSectors
    from vmrescue.transaction.deeds.deed import Bench
    from vmrescue.windows import Disk


class _HiddenSectors:
    whole = True
    together = 1

    def apply(self, changes: Sequence[SetHiddenSectors], bench: Bench) -> None:
        from vmrescue.fat import boot_sector as of_fat
        from vmrescue.ntfs.edit import boot_copy as of_ntfs

        [change] = changes
        volume = bench.volume(change.file)
        if volume.file_system not in ("NTFS", *FATS):
            raise RefusedError(f"cannot {change.title}: {volume} holds neither NTFS nor FAT")
        if change.after != volume.partition.start // volume.disk.table.sector_size:
            raise RefusedError(f"cannot {change.title}: {volume} does not begin at sector {change.after}")
        compare(change, change.before, hidden_sectors(volume.device))
        copy = (of_ntfs if volume.file_system == "NTFS" else of_fat).same_copy(volume.device)
        write_hidden_sectors(volume.device, change.after)
        if copy is not None:
            write_hidden_sectors(volume.device, change.after, copy)

    def confirm(self, changes: Sequence[SetHiddenSectors], disks: list[Disk]) -> None:
        from vmrescue.readers.fat.file_system import FatFileSystem
        from vmrescue.readers.ntfs.file_system import NtfsFileSystem

        [change] = changes
        volume = find_volume(disks, change.file)
        reader = NtfsFileSystem if volume.file_system == "NTFS" else FatFileSystem
        found = reader(volume.device, volume.position).hidden_sectors
        if found != change.after:
            raise RepairFailedError(f"cannot confirm: {change.title}: the readers see sector {found}")

    def backs_up(self, changes: Sequence[SetHiddenSectors]) -> bool:
        return False


DEED = _HiddenSectors()
