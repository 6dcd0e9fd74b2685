"""fragmentation: what Windows reads when it starts, or the free space of its volume, lies in too many pieces.

Only what costs little is looked at: the records of those few files, and $Bitmap, which is read for `free-space` anyway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.checks.check import check
from vmrescue.checks.facts import Extents
from vmrescue.checks.intents import Defragment
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part
from vmrescue.readers.ntfs.plain import PlainNtfs
from vmrescue.units import counted, size_text
from vmrescue.windows.defragmentation import boot_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.finding import Finding
    from vmrescue.checks.subject import Subject


@check(
    "fragmentation",
    family="storage",
    severity="advice",
    title="`$MFT`, a hive, the page file or the free space is in many pieces",
    meaning="A hive or a page file in many pieces makes the start slow. One that must grow finds no room in one "
    "piece. Microsoft's procedure defragments the volume. Defragmentation moves files, and cannot be undone.",
    fires="a file that is read when Windows starts is in more than 64 pieces; or no stretch of free space is as "
    "long as 64 MiB although at least 128 MiB are free (options change both limits)",
    repair="none by itself. Defragmentation helps, and cannot be undone",
    source='Microsoft, "Windows stop error - Status No Memory": the boot volume is full or fragmented',
    step=RunbookStep.FREE_SPACE,
    needs=(Part.OS_VOLUME,),
    applicability="advice",
    advises=(Defragment,),
)
def fragmentation(subject: Subject) -> Iterator[Finding]:
    policy, volume = subject.policy, subject.windows.volume
    files = volume.files
    if subject.volume_told or not isinstance(files, PlainNtfs):
        return
    pieces = {path: files.pieces_of(path) or 0 for path in boot_files(subject.installation, volume)}
    many = {path: count for path, count in pieces.items() if count > policy.max_pieces}
    space, size = files.free_space, files.cluster_size
    free, longest = space.clusters * size, space.largest * size
    scattered = longest < policy.min_free_extent and free >= 2 * policy.min_free_extent
    if not many and not scattered:
        return
    said = [f"\\{path} lies in {counted(count, 'piece')}" for path, count in many.items()]
    if scattered:
        pieces_of_it = counted(space.extents, "extent")
        said.append(f"{size_text(free)} of free space in {pieces_of_it}, the longest of {size_text(longest)}")
    yield fragmentation.finding(
        "; ".join(said),
        facts=(Extents(str(volume), pieces, policy.max_pieces, free, space.extents, longest, policy.min_free_extent),),
        intents=(Defragment(volume.disk_index, () if scattered else tuple(many), scattered),),
    )
