"""Confirms moves: dissect.ntfs must find each file where it was put."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.errors import RepairFailedError
from vmrescue.units import by_number, counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmrescue.ntfs.defrag.layout import Key
    from vmrescue.ntfs.structures.positions import Lcn, Nth
    from vmrescue.windows import Volume


@dataclass(frozen=True)
class Moved:
    """A move whose content was copied and whose run list was switched in memory."""

    key: Key
    start: Nth
    count: int
    target: Lcn


def must_see_moves(volume: Volume, moves: Iterable[Moved]) -> None:
    """Raises RepairFailedError where an attribute's clusters are not where a move put them."""
    from vmrescue.readers.ntfs.file_system import NtfsFileSystem

    files = NtfsFileSystem(volume.device, volume.position)
    for moved in moves:
        runs = files.runs_of(moved.key.record, moved.key.kind, moved.key.name)
        if not _lie_at(runs, moved.start, moved.count, moved.target):
            raise RepairFailedError(
                f"the readers do not see that {counted(moved.count, 'cluster')} of file record {moved.key.record}"
                f" {by_number(moved.count, 'was', 'were')} moved"
            )


def _lie_at(runs: Iterable[tuple[int, int]], start: Nth, count: int, target: Lcn) -> bool:
    """Whether `count` stored clusters, from the `start`th on, are those from `target` on."""
    passed = seen = 0
    for first, length in runs:
        low, high = max(start, passed), min(start + count, passed + length)
        if low < high:
            if first + low - passed != target + low - start:
                return False
            seen += high - low
        passed += length
    return seen == count
