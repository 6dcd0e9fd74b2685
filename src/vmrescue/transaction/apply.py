"""Applies a plan: the editors do its deeds, stage by stage, on the device of the disks (an overlay).

Before the first edit of a file, what the plan says was found is compared with what is there (`transaction.expected`).
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from vmrescue.plan import Stage
from vmrescue.transaction.deeds import deed_of
from vmrescue.transaction.deeds.deed import Bench
from vmrescue.transaction.expected import by_deed, by_file, must_be_as_planned

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmrescue.plan import Change, Plan
    from vmrescue.windows import Disk, Volume


def apply_plan(plan: Plan, disks: list[Disk]) -> list[Volume]:
    """Makes every change of the plan, in its order; returns the volumes whose own structures were changed.

    Args:
        disks: as they are; they are read, and others are made of them to be edited.

    Raises:
        RefusedError: something is no longer as the plan found it, or editing it would not be safe.
    """
    bench = Bench([disk.anew() for disk in disks])
    for stage, grouped in groupby(plan.steps, key=lambda step: step.change.stage):
        steps = list(grouped)
        if stage == Stage.FILES:
            must_be_as_planned(steps, disks)
            groups = [
                each for of_file in by_file([step.change for step in steps]).values() for each in by_deed(of_file)
            ]
            for changes in _together(groups):
                deed_of(changes[:1]).apply(changes, bench)
        else:
            for step in steps:  # each by itself: the next one finds the disks as this one leaves them
                deed_of([step.change]).apply([step.change], bench)
                bench.look_anew()
            disks = [disk.anew() for disk in bench.disks]
    return bench.restructured_volumes()


def _together(groups: Iterable[list[Change]]) -> Iterator[list[Change]]:
    """The changes of each file, those that follow each other joined where one edit of the volume makes them all."""
    joined: list[Change] = []
    for changes in groups:
        deed, file = deed_of(changes), changes[0].file
        fits = joined and deed is deed_of(joined[:1]) and len(joined) < deed.together
        if not fits or (file.disk, file.partition) != (joined[0].file.disk, joined[0].file.partition):
            if joined:
                yield joined
            joined = []
        joined = joined + changes
    if joined:
        yield joined
