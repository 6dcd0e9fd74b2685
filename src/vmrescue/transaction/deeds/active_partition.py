"""The active flag of an MBR: the partition from which a BIOS starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import RefusedError, RepairFailedError
from vmrescue.readers.partitions import active_partitions
from vmrescue.transaction.stale import compare
from vmrescue.volume.extending import check_editable
from vmrescue.volume.mbr import active_slots, numbers_text, write_active

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vmrescue.plan import SetActive
    from vmrescue.transaction.deeds.deed import Bench
    from vmrescue.windows import Disk


class _Active:
    whole = True
    together = 1

    def apply(self, changes: Sequence[SetActive], bench: Bench) -> None:
        [change] = changes
        disk = bench.disk(change.file)
        if disk.table.style != "MBR":
            raise RefusedError(f"cannot {change.title}: the disk has no MBR to start from")
        check_editable(disk.table)
        compare(change, change.before, numbers_text(active_slots(disk.device)))
        primary = [volume.partition for volume in disk.volumes if volume.partition.number == change.after <= 4]
        if not primary or primary[0].role == "extended":
            raise RefusedError(f"cannot {change.title}: the MBR has no such primary partition")
        write_active(disk.device, change.after)

    def confirm(self, changes: Sequence[SetActive], disks: list[Disk]) -> None:
        [change] = changes
        disk = disks[change.file.disk]
        volume = disk.volume(change.after)
        found = active_partitions(disk.device, disk.table.sector_size)
        if volume is None or found != [volume.position]:
            raise RepairFailedError(f"cannot confirm: {change.title}: the readers find {len(found)} active partitions")

    def backs_up(self, changes: Sequence[SetActive]) -> bool:
        return False


DEED = _Active()
