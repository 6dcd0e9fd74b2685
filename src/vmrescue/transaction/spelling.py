"""A plan's paths, spelled as the volumes spell them: one file then has one path in the plan."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from vmrescue.errors import UsageError, VmRescueError
from vmrescue.transaction.deeds.deed import find_volume

if TYPE_CHECKING:
    from vmrescue.plan import Change, Plan
    from vmrescue.windows import Disk


def as_spelled(plan: Plan, disks: list[Disk]) -> Plan:
    """The same plan. Raises UsageError where a path fits several files, which differ only in case."""
    return replace(plan, steps=tuple(replace(step, change=_spelled(step.change, disks)) for step in plan.steps))


def _spelled(change: Change, disks: list[Disk]) -> Change:
    """Where a volume cannot be read, whoever makes the change says why."""
    file = change.file
    if not file.path:
        return change
    try:
        return replace(change, file=replace(file, path=find_volume(disks, file).files.spelled(file.path)))
    except UsageError:
        raise
    except VmRescueError:
        return change
