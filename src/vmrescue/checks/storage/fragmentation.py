"""fragmentation: what Windows reads when it starts, or the free space of its volume, lies in too many pieces.

Only what costs little is looked at: the records of those few files, and $Bitmap, which is read for `free-space` anyway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vmrescue.checks import steps
from vmrescue.checks.commands import commands
from vmrescue.checks.finding import Finding
from vmrescue.readers.ntfs.file_system import NtfsFileSystem
from vmrescue.units import counted, size_text
from vmrescue.windows.defragmentation import boot_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.policy import Policy
    from vmrescue.windows import Installation

ID = "fragmentation"
MEANING = (
    "A hive or the page file in many pieces makes the start slow, and one that has to grow finds no room in one piece; "
    "Microsoft's procedure has the volume defragmented. `vmrescue defrag` does it to the image; it cannot be undone."
)


def check(installation: Installation, policy: Policy) -> Iterator[Finding]:
    if installation.os is None:
        return
    volume = installation.os.volume
    files = volume.files
    if not isinstance(files, NtfsFileSystem):
        return
    pieces = {path: files.pieces_of(path) or 0 for path in boot_files(installation, volume)}
    many = {path: count for path, count in pieces.items() if count > policy.max_pieces}
    space, size = files.free_space, files.cluster_size
    largest = space.largest * size
    scattered = largest < policy.min_free_extent and space.clusters * size >= 2 * policy.min_free_extent
    if not many and not scattered:
        return
    said = [f"\\{path} lies in {counted(count, 'piece')}" for path, count in many.items()]
    if scattered:
        free = f"{size_text(space.clusters * size)} of free space in {counted(space.extents, 'extent')}"
        said.append(f"{free}, the longest of {size_text(largest)}")
    evidence: dict[str, Any] = {
        "volume": str(volume),
        "pieces": pieces,
        "pieces_allowed": policy.max_pieces,
        "bytes_free": space.clusters * size,
        "free_extents": space.extents,
        "bytes_in_longest": largest,
        "bytes_wanted_in_longest": policy.min_free_extent,
    }
    named = [word for path in many for word in ("--file", path)]
    words = ["--free-space"] if scattered else named
    yield Finding(
        check=ID,
        severity="advice",
        summary="; ".join(said),
        meaning=MEANING,
        step=steps.FREE_SPACE,
        evidence=evidence,
        commands=commands("defrag", volume.disk, *words),
    )
