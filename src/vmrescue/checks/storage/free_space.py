"""free-space: the OS volume is nearly full; what cleaning up would win, and what a larger disk would."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from vmrescue.checks import steps
from vmrescue.checks.commands import commands
from vmrescue.checks.finding import Finding
from vmrescue.errors import VmRescueError
from vmrescue.plan import DeleteFile, ExpandVolume
from vmrescue.units import GIB, size_text
from vmrescue.windows.cleanup import chosen, removable_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.policy import Policy
    from vmrescue.windows import Installation, Volume

ID = "free-space"
DISK_SIZES = tuple(size * GIB for size in (32, 64, 128, 256, 512, 1024, 2048, 4095))  # in which Azure sells OS disks


def check(installation: Installation, policy: Policy) -> Iterator[Finding]:
    if installation.os is None:
        return
    volume = installation.os.volume
    free = volume.files.free_bytes
    if free >= policy.min_free:
        return
    removable = list(removable_files(installation.os, chosen(())))
    won: Counter[str] = Counter()
    for file in removable:
        won[file.category] += file.on_disk
    helpful = commands("cleanup", volume.disk) if removable else ()
    enough = free + won.total() >= policy.min_free
    growth: dict[str, Any] = {} if enough else _growth(volume, policy.min_free - free)
    helpful += growth.pop("commands", ())
    yield Finding(
        check=ID,
        severity="critical",
        summary=f"the OS volume has {size_text(free)} free of {size_text(volume.partition.size)}; "
        f"{size_text(policy.min_free)} are wanted, and cleaning up would win {size_text(won.total())}",
        meaning="Windows has no room for its page file, logs and updates, and may not boot until files are removed "
        f"(`vmrescue cleanup`, or --only {ID}) or the disk is made larger{'' if enough else _growth_text(growth)}.",
        step=steps.FREE_SPACE,
        evidence={
            "volume": str(volume),
            "bytes_free": free,
            "bytes_wanted": policy.min_free,
            "bytes_total": volume.partition.size,
            "cluster_size": volume.files.cluster_size,
            "bytes_by_cleanup": dict(won),
            **growth,
        },
        changes=tuple(DeleteFile(file.file, file.size) for file in removable),
        on_request=True,
        commands=helpful,
    )


def _growth(volume: Volume, missing: int) -> dict[str, Any]:
    """What the smallest larger disk would win whose growth is enough: evidence, and `commands`; or why none would.

    Args:
        volume: the OS volume.
        missing: bytes.
    """
    from vmrescue.windows.expansion import expansion  # here, because few volumes are so full

    disk = volume.disk
    size = next((size for size in DISK_SIZES if size >= disk.device.size + missing), None)
    if size is None:
        return {"growing": "the disk is as large as Azure's OS disks are"}
    refusal = ""
    for move_recovery in (False, True):
        try:
            changes = expansion(disk, disk.device.format, size, volume.partition.number, move_recovery)
        except VmRescueError as error:
            refusal = refusal or str(error)
            continue
        won = sum(change.after - change.before for change in changes if isinstance(change, ExpandVolume))
        words = ("--size", f"{size // GIB}G", *(["--move-recovery"] if move_recovery else []))
        return {
            "bytes_by_growing": won,
            "bytes_of_larger_disk": size,
            "commands": commands("expand", disk, *words),
        }
    return {"growing": refusal}


def _growth_text(growth: dict[str, Any]) -> str:
    if "growing" in growth:
        return f"; cleaning is not enough here, and growing is refused: {growth['growing']}"
    won, size = size_text(growth["bytes_by_growing"]), size_text(growth["bytes_of_larger_disk"])
    return f"; cleaning is not enough here, and a disk of {size} would win {won} (`vmrescue expand`)"
