"""free-space: the OS volume is nearly full; what cleaning up would win, and what more room would."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from vmrescue.checks.check import check
from vmrescue.checks.facts import Growth, LargestFiles, NoGrowth, Space
from vmrescue.checks.intents import CleanUp, Expand
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part
from vmrescue.device import prefetch
from vmrescue.errors import VmRescueError
from vmrescue.plan import DeleteFile, ExpandVolume
from vmrescue.units import GIB, size_text
from vmrescue.windows.cleanup import chosen, largest_files, removable_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.finding import Finding
    from vmrescue.checks.subject import Subject
    from vmrescue.windows import Volume

DISK_SIZES = tuple(size * GIB for size in (32, 64, 128, 256, 512, 1024, 2048, 4095))  # in which Azure sells OS disks


@check(
    "free-space",
    family="storage",
    severity="critical",
    title="the OS volume has less than 300 MiB free",
    meaning="Windows has no room for its page file, logs and updates, and may not boot until files are removed or the "
    "disk is made larger",
    fires="the volume of Windows has less free than the policy wants (300 MiB unless set)",
    repair="clean up, as Disk Cleanup does",
    source='Microsoft, "Windows stop error - Status No Memory": at least 300 MB free on the OS disk',
    step=RunbookStep.FREE_SPACE,
    needs=(Part.OS_VOLUME,),
    applicability="on_request",
    advises=(CleanUp, Expand),
)
def free_space(subject: Subject) -> Iterator[Finding]:
    windows, wanted = subject.windows, subject.policy.min_free
    volume = windows.volume
    free = volume.files.free_bytes
    if subject.volume_told or free >= wanted:
        return
    removable = list(removable_files(windows, chosen(())))
    won: Counter[str] = Counter()
    for file in removable:
        won[file.category] += file.on_disk
    enough = free + won.total() >= wanted
    growth, larger = (None, None) if enough else _growth(volume, wanted - free)
    total = volume.files.total_bytes
    space = Space(str(volume), free, wanted, total, volume.files.cluster_size, dict(won))
    yield free_space.finding(
        f"the OS volume has {size_text(free)} free of {size_text(total)}; "
        f"{size_text(wanted)} are wanted, and cleaning up would win {size_text(won.total())}",
        meaning=f"{free_space.meaning}{_said(growth, volume.disk.device.size)}.",
        facts=(space, growth, *_largest(volume)) if growth else (space,),
        changes=[DeleteFile(file.file, file.size) for file in removable],
        intents=[*([CleanUp(volume.disk_index)] if removable else []), *([larger] if larger else [])],
    )


def _largest(volume: Volume) -> tuple[LargestFiles, ...]:
    """What a person may move away. Of a volume far away nothing: all its folders would be asked for."""
    files = {} if prefetch(volume.disk.device) else largest_files(volume)
    return (LargestFiles(files),) if files else ()


def _growth(volume: Volume, missing: int) -> tuple[Growth | NoGrowth, Expand | None]:
    """What the room that the disk has already, or else the smallest larger disk, would win; or why none would.

    Args:
        volume: the OS volume.
        missing: bytes.
    """
    disk = volume.disk
    own, refusal = disk.device.size, ""
    larger = next((size for size in DISK_SIZES if size >= own + missing), None)
    for size in (own, *([larger] if larger else [])):
        for move_recovery in (False, True):
            try:
                won = _won(volume, size, move_recovery)
            except VmRescueError as error:
                refusal = refusal if size == own else refusal or str(error)
                continue
            if won >= missing or size != own:
                return Growth(won, size), Expand(disk.index, size, move_recovery)
    return NoGrowth(refusal or "the disk is as large as Azure's OS disks are"), None


def _won(volume: Volume, size: int, move_recovery: bool) -> int:
    """The bytes that a volume would win on a disk of this size. Raises VmRescueError where it would be refused."""
    from vmrescue.windows.expansion import expansion  # here, because few volumes are so full

    changes = expansion(volume.disk, size, volume.partition.number, move_recovery)
    after = next(change.after for change in changes if isinstance(change, ExpandVolume))
    return after - volume.files.total_bytes


def _said(growth: Growth | NoGrowth | None, disk_size: int) -> str:
    if growth is None:
        return ""
    if isinstance(growth, NoGrowth):
        return f"; cleaning is not enough here, and growing is refused: {growth.why}"
    if growth.disk == disk_size:
        return (
            f"; cleaning is not enough here, and the room that the disk has already would win {size_text(growth.won)}"
        )
    return f"; cleaning is not enough here, and a disk of {size_text(growth.disk)} would win {size_text(growth.won)}"
