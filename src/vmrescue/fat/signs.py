"""Which bytes of a FAT volume change when somebody writes to it: an undo compares them.

FAT keeps no log. Making, changing or deleting a file changes the table or the file's directory. A system that mounts
the volume and does not dismount it leaves a bit in the boot sector or in the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import NotFoundError
from vmrescue.fat.boot_sector import read_boot_sector
from vmrescue.fat.table import FREE, Table
from vmrescue.fat.volume import FatVolume
from vmrescue.image.pending_writes import PendingWrites
from vmrescue.image.signs import HEAD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmrescue.device import BlockDevice
    from vmrescue.image.signs import Range

MOST_DIRECTORIES = 10_000
DEEPEST = 128

Named = tuple[str, "list[Range]"]


def signs(device: BlockDevice, files: Iterable[str], thorough: bool = True) -> Iterator[Named]:
    """The ranges of a volume that change when it is written to.

    Args:
        files: paths of hives and their logs, whose first bytes change with every write. Missing ones are skipped.
        thorough: False leaves out the table and the directories, where reading is slow.
    """
    boot = read_boot_sector(device)
    volume = FatVolume(device)
    reserved = boot.table_offset
    if not thorough:
        yield "the boot sector, and the start of the allocation table", [(0, reserved + boot.sector_size)]
    else:
        yield "the boot sector, the allocation table and the root directory", [(0, boot.data_offset)]
        yield from _directories(volume)
    for path in files:
        try:
            pieces = volume.file_extents(path)
        except NotFoundError:
            continue
        if pieces:
            yield f"\\{path}", [(volume.cluster_offset(pieces[0][1]), min(HEAD, boot.cluster_size))]


def _directories(volume: FatVolume) -> Iterator[Named]:
    """The clusters of all directories, from the root down. Each is read once, even if damage links them in a circle."""
    found: list[Range] = []
    seen: set[int] = set()
    waiting = [""]
    while waiting and len(seen) < MOST_DIRECTORIES:
        path = waiting.pop()
        pieces = volume.file_extents(path)
        first = pieces[0][1] if pieces else 0
        if first in seen or path.count("\\") > DEEPEST:
            continue
        seen.add(first)
        found += ((volume.cluster_offset(cluster), count * volume.cluster_size) for _, cluster, count in pieces)
        waiting += [f"{path}\\{each.name}" for each in volume.list(path) if each.is_directory]
    if found:
        yield "the directories", found
    if waiting:
        yield f"the directories behind the first {MOST_DIRECTORIES}", []


def changed_clusters(before: BlockDevice, after: BlockDevice) -> Iterator[Range]:
    """The clusters, as ranges in bytes, that are free in only one of two states of a volume."""
    boots = [read_boot_sector(device) for device in (before, after)]
    if boots[0].cluster_size != boots[1].cluster_size or boots[0].data_offset != boots[1].data_offset:
        return
    tables = (
        Table(PendingWrites(device, boot.sector_size), boot)
        for device, boot in zip((before, after), boots, strict=True)
    )
    for (first, old), (_, new) in zip(*(table.pages() for table in tables), strict=False):
        if old != new:
            for index, (was, becomes) in enumerate(zip(old, new, strict=False)):
                if (was == FREE) != (becomes == FREE):
                    yield boots[1].cluster_offset(first + index), boots[1].cluster_size
