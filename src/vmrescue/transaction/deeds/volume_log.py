"""The log of an NTFS volume replayed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import RepairFailedError
from vmrescue.transaction.deeds.deed import find_volume
from vmrescue.transaction.stale import stale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vmrescue.plan import ReplayVolumeLog
    from vmrescue.transaction.deeds.deed import Bench
    from vmrescue.windows import Disk


class _VolumeLog:
    whole = True
    together = 1

    def apply(self, changes: Sequence[ReplayVolumeLog], bench: Bench) -> None:
        from vmrescue.ntfs.log.replay import replay

        [change] = changes
        volume = bench.volume(change.file)
        if replay(volume.device) is None:
            raise stale(f"cannot {change.title}: the log of {volume} has nothing to replay any more")
        bench.restructured(change.file)

    def confirm(self, changes: Sequence[ReplayVolumeLog], disks: list[Disk]) -> None:
        from vmrescue.readers.ntfs.file_system import NtfsFileSystem

        volume = find_volume(disks, changes[0].file)
        if why := NtfsFileSystem(volume.device, volume.position).why_log_pending():
            raise RepairFailedError(f"the readers see that the log of {volume} is still to be replayed: {why}")

    def backs_up(self, changes: Sequence[ReplayVolumeLog]) -> bool:
        return False


DEED = _VolumeLog()
