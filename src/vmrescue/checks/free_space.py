"""free-space: the OS volume is nearly full."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from vmrescue.checks import steps
from vmrescue.checks.finding import Finding
from vmrescue.plan import DeleteFile
from vmrescue.units import size_text
from vmrescue.windows.cleanup import chosen, removable_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.policy import Policy
    from vmrescue.windows import Installation

ID = "free-space"


def check(installation: Installation, policy: Policy) -> Iterator[Finding]:
    if installation.os is None:
        return
    volume = installation.os.volume
    free = volume.files.free_bytes
    if free >= policy.min_free:
        return
    removable = list(removable_files(installation, chosen(())))
    won: Counter[str] = Counter()
    for file in removable:
        won[file.category] += file.on_disk
    yield Finding(
        check=ID,
        severity="critical",
        summary=f"the OS volume has {size_text(free)} free of {size_text(volume.partition.size)}; "
        f"{size_text(policy.min_free)} are wanted, and cleaning up would win {size_text(won.total())}",
        meaning="Windows has no room for its page file, logs and updates, and may not boot until files are removed "
        f"(`vmrescue cleanup`, or --only {ID})"
        + (
            " or the disk is made larger."
            if free + won.total() >= policy.min_free
            else " and, since that is not enough here, the disk is made larger."
        ),
        step=steps.FREE_SPACE,
        evidence={
            "volume": str(volume),
            "bytes_free": free,
            "bytes_wanted": policy.min_free,
            "bytes_total": volume.partition.size,
            "cluster_size": volume.files.cluster_size,
            "bytes_by_cleanup": dict(won),
        },
        changes=tuple(DeleteFile(file.file, file.size) for file in removable),
        on_request=True,
    )
