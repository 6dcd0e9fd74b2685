"""Where an NTFS volume's boot sector says that it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import RefusedError, RepairFailedError
from vmrescue.ntfs.edit.hidden_sectors import hidden_sectors, write_hidden_sectors
from vmrescue.readers.ntfs.file_system import NtfsFileSystem
from vmrescue.transaction.deeds.deed import find_volume
from vmrescue.transaction.stale import compare

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vmrescue.plan import SetHiddenSectors
    from vmrescue.transaction.deeds.deed import Bench
    from vmrescue.windows import Disk


class _HiddenSectors:
    whole = True
    together = 1

    def apply(self, changes: Sequence[SetHiddenSectors], bench: Bench) -> None:
        [change] = changes
        volume = bench.volume(change.file)
        if volume.file_system != "NTFS":
            raise RefusedError(f"cannot {change.title}: {volume} holds no NTFS")
        if change.after != volume.partition.start // volume.disk.table.sector_size:
            raise RefusedError(f"cannot {change.title}: {volume} does not begin at sector {change.after}")
        compare(change, change.before, hidden_sectors(volume.device))
        write_hidden_sectors(volume.device, change.after)

    def confirm(self, changes: Sequence[SetHiddenSectors], disks: list[Disk]) -> None:
        [change] = changes
        volume = find_volume(disks, change.file)
        found = NtfsFileSystem(volume.device, volume.position).hidden_sectors
        if found != change.after:
            raise RepairFailedError(f"cannot confirm: {change.title}: the readers see sector {found}")

    def backs_up(self, changes: Sequence[SetHiddenSectors]) -> bool:
        return False


DEED = _HiddenSectors()
