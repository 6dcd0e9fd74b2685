"""Where the boot sector of an NTFS or FAT volume says that it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import RefusedError, RepairFailedError
from vmrescue.transaction.deeds.deed import find_volume
from vmrescue.transaction.stale import compare

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vmrescue.plan import SetHiddenSectors
    from vmrescue.transaction.deeds.deed import Bench
    from vmrescue.windows import Disk


FATS = ("FAT12", "FAT16", "FAT32")


class _HiddenSectors:
    whole = True
    together = 1

    def apply(self, changes: Sequence[SetHiddenSectors], bench: Bench) -> None:
        from vmrescue.fat import hidden_sectors as of_fat
        from vmrescue.ntfs.edit import hidden_sectors as of_ntfs

        [change] = changes
        volume = bench.volume(change.file)
        if volume.file_system not in ("NTFS", *FATS):
            raise RefusedError(f"cannot {change.title}: {volume} holds neither NTFS nor FAT")
        if change.after != volume.partition.start // volume.disk.table.sector_size:
            raise RefusedError(f"cannot {change.title}: {volume} does not begin at sector {change.after}")
        editor = of_fat if volume.file_system in FATS else of_ntfs
        compare(change, change.before, editor.hidden_sectors(volume.device))
        editor.write_hidden_sectors(volume.device, change.after)

    def confirm(self, changes: Sequence[SetHiddenSectors], disks: list[Disk]) -> None:
        from vmrescue.readers.fat.file_system import FatFileSystem
        from vmrescue.readers.ntfs.file_system import NtfsFileSystem

        [change] = changes
        volume = find_volume(disks, change.file)
        reader = FatFileSystem if volume.file_system in FATS else NtfsFileSystem
        found = reader(volume.device, volume.position).hidden_sectors
        if found != change.after:
            raise RepairFailedError(f"cannot confirm: {change.title}: the readers see sector {found}")

    def backs_up(self, changes: Sequence[SetHiddenSectors]) -> bool:
        return False


DEED = _HiddenSectors()
