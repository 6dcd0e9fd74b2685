"""A GPT of which a part is broken: it is written anew from the copy that is sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import RefusedError, RepairFailedError
from vmrescue.readers.partitions import both_copies
from vmrescue.transaction.stale import compare
from vmrescue.volume.gpt_repair import restore, state_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vmrescue.plan import RestorePartitionTable
    from vmrescue.transaction.deeds.deed import Bench
    from vmrescue.windows import Disk


class _PartitionTable:
    whole = True
    together = 1

    def apply(self, changes: Sequence[RestorePartitionTable], bench: Bench) -> None:
        [change] = changes
        disk = bench.disk(change.file)
        state = state_of(disk.device, disk.table)
        if state is None:
            raise RefusedError(f"cannot {change.title}: the disk has no GPT")
        compare(change, change.before, state.broken_text)
        restore(disk.device, disk.table, state)

    def confirm(self, changes: Sequence[RestorePartitionTable], disks: list[Disk]) -> None:
        [change] = changes
        disk = disks[change.file.disk]
        primary, backup = both_copies(disk.device, disk.table.sector_size)
        wanted = [(each.start, each.size, each.type, each.guid) for each in disk.table.partitions]
        if disk.table.warnings or not sorted(primary) == sorted(backup) == sorted(wanted):
            raise RepairFailedError(f"cannot confirm: {change.title}: the readers do not see one table in both copies")

    def backs_up(self, changes: Sequence[RestorePartitionTable]) -> bool:
        return False


DEED = _PartitionTable()
