"""Findings that appear only after a repair, but that the repair did not cause.

The boot path ends at its first fault, so a diagnosis says nothing of the next ones. It says nothing either of what is
on a volume that cannot be opened. A repair of the first fault makes the next ones visible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.checks.rules import CHECKS

if TYPE_CHECKING:
    from vmrescue.diagnosis import Diagnosis


def uncovered(before: Diagnosis, after: Diagnosis) -> set[str]:
    """The checks whose findings in `after` may be about what `before` did not come to see."""
    if _sees_other_parts(before, after):
        return set(CHECKS)
    if _gets_further(before, after):
        return {name for name, check in CHECKS.items() if check.family == "boot"}
    return set()


def _sees_other_parts(before: Diagnosis, after: Diagnosis) -> bool:
    """Whether a volume is open now that was not, or another boot store or another Windows is the one that boots."""
    closed = {(each.disk, each.partition) for each in before.volumes if each.free is None}
    opened = any((each.disk, each.partition) in closed for each in after.volumes if each.free is not None)
    return opened or _booting(before) != _booting(after)


def _booting(diagnosis: Diagnosis) -> tuple[object, ...]:
    stores = [(each.partition, each.path) for each in diagnosis.stores if each.boots]
    systems = [(each.disk, each.partition, each.root) for each in diagnosis.systems if each.boots]
    return stores, systems


def _gets_further(before: Diagnosis, after: Diagnosis) -> bool:
    """Whether the boot path ended before, and now either does not, or at a thing that it had not come to."""
    if before.boot is None or after.boot is None or before.boot.stop is None:
        return False
    stop = after.boot.stop
    if stop is None:
        return True
    stages = [stage.id for stage in before.boot.stages]
    seen = {fact.reason for fact in before.boot.facts()}
    return stages.index(stop.stage) >= stages.index(before.boot.stop.stage) and stop.reason not in seen
