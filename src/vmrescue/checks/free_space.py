"""free-space: the OS volume is nearly full."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.checks import steps
from vmrescue.checks.finding import Finding

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
    yield Finding(
        check=ID,
        severity="critical",
        summary=f"the OS volume has {free / (1 << 20):.1f} MB free of {volume.partition.size >> 20} MB; "
        f"{policy.min_free >> 20} MB are wanted",
        meaning="Windows has no room for its page file, logs and updates, and may not boot until files are removed "
        "or the disk is made larger.",
        step=steps.FREE_SPACE,
        evidence={
            "volume": str(volume),
            "bytes_free": free,
            "bytes_wanted": policy.min_free,
            "bytes_total": volume.partition.size,
            "cluster_size": volume.files.cluster_size,
        },
    )
