"""What a partition of a GPT is for."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from vmrescue.errors import RefusedError, RepairFailedError
from vmrescue.readers.partitions import partition_types
from vmrescue.transaction.deeds.deed import find_volume
from vmrescue.transaction.stale import compare
from vmrescue.volume.extending import check_editable
from vmrescue.volume.gpt_edit import write_table
from vmrescue.volume.partition_types import GPT_TYPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vmrescue.plan import SetPartitionType
    from vmrescue.transaction.deeds.deed import Bench
    from vmrescue.windows import Disk

SETTABLE = ("EFI system", "basic data")  # roles: others make a partition a part of something


class _PartitionType:
    whole = True
    together = 1

    def apply(self, changes: Sequence[SetPartitionType], bench: Bench) -> None:
        [change] = changes
        disk, volume = bench.disk(change.file), find_volume(bench.disks, change.file)
        if disk.table.style != "GPT":
            raise RefusedError(f"cannot {change.title}: the disk has no GPT")
        check_editable(disk.table)
        compare(change, change.before, str(volume.partition.type))
        roles = {str(guid): role for guid, (_, role) in GPT_TYPES.items()}
        if any(roles.get(guid) not in SETTABLE for guid in (change.before, change.after)):
            raise RefusedError(f"cannot {change.title}: only basic data and EFI system partitions become the other")
        types = {volume.partition.number: UUID(change.after)}
        write_table(disk.device, disk.table.sector_size, {}, types)

    def confirm(self, changes: Sequence[SetPartitionType], disks: list[Disk]) -> None:
        [change] = changes
        disk, volume = disks[change.file.disk], find_volume(disks, change.file)
        found = partition_types(disk.device, disk.table.sector_size).get(volume.position)
        if str(found) != change.after:
            raise RepairFailedError(f"cannot confirm: {change.title}: the readers see the type {found}")

    def backs_up(self, changes: Sequence[SetPartitionType]) -> bool:
        return False


DEED = _PartitionType()
