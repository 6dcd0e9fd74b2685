"""The second look at moves: dissect.ntfs, which shares no code with what moved them, finds each where it was put."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vmrescue.errors import RepairFailedError
from vmrescue.ntfs.defrag.layout import joined
from vmrescue.ntfs.defrag.moving import part_of
from vmrescue.ntfs.structures.run_list import HOLE, Run
from vmrescue.windows.guard import reading
from vmrescue.windows.stream import DeviceStream

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmrescue.transaction.defragmenting import Moved
    from vmrescue.windows import Volume


def must_see_moves(volume: Volume, moves: Iterable[Moved]) -> None:
    """Raises RepairFailedError where an attribute's clusters are not where a move put them."""
    from dissect.ntfs import NTFS

    with reading("NTFS volume", volume.position):
        ntfs = NTFS(DeviceStream(volume.device))
        for moved in moves:
            pieces = _pieces(ntfs, moved)
            if part_of(pieces, moved.start, moved.count) != [(moved.target, moved.count)]:
                raise RepairFailedError(
                    f"the readers do not see that {moved.count} clusters of file record {moved.key.record} were moved"
                )


def _pieces(ntfs: Any, moved: Moved) -> tuple[tuple[int, int], ...]:
    from dissect.ntfs.c_ntfs import ATTRIBUTE_TYPE_CODE

    record = ntfs.mft.get(moved.key.record)
    found = record.attributes.find(moved.key.name, ATTRIBUTE_TYPE_CODE(moved.key.kind))
    return joined(Run(0, HOLE if lcn is None else lcn, length) for lcn, length in found.dataruns())
