"""The copy of an NTFS volume's boot sector, behind the volume."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import RepairFailedError
from vmrescue.transaction.deeds.deed import find_volume
from vmrescue.transaction.stale import stale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vmrescue.plan import WriteBootCopy
    from vmrescue.transaction.deeds.deed import Bench
    from vmrescue.windows import Disk

SECTOR = 512  # bytes of a boot sector that count, however long the disk's sectors are


class _BootCopy:
    whole = True
    together = 1

    def apply(self, changes: Sequence[WriteBootCopy], bench: Bench) -> None:
        from vmrescue.ntfs import volume_state
        from vmrescue.ntfs.edit.boot_copy import read_boot_copy, write_boot_copy

        [change] = changes
        volume = bench.volume(change.file)
        volume_state(volume.device).check_content()
        if read_boot_copy(volume.device).position != change.position:
            raise stale(f"cannot {change.title}: {volume} has another size now")
        write_boot_copy(volume.device)

    def confirm(self, changes: Sequence[WriteBootCopy], disks: list[Disk]) -> None:
        from vmrescue.readers.ntfs.file_system import NtfsFileSystem

        volume = find_volume(disks, changes[0].file)
        device = volume.device
        end = NtfsFileSystem(device, volume.position).extent.size  # a later change may have made the volume longer
        if device.read_at(end, SECTOR) != device.read_at(0, SECTOR):
            raise RepairFailedError(f"behind {volume} is no copy of its boot sector")

    def backs_up(self, changes: Sequence[WriteBootCopy]) -> bool:
        return False


DEED = _BootCopy()
