"""What of a plan cannot be made on the disks at hand, and the plan without it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.errors import RefusedError
from vmrescue.windows.why_not import Obstacles

if TYPE_CHECKING:
    from vmrescue.plan import Plan, Step
    from vmrescue.windows import Disk


@dataclass(frozen=True)
class Skipped:
    """A step of a plan that is not made: `because` says why, or which other step of the same finding is refused."""

    check: str
    title: str
    because: str


def without_refused(plan: Plan, disks: list[Disk], in_place: bool = True) -> tuple[Plan, list[Skipped]]:
    """The plan without what is refused, and that. What one finding asks for is made together or not at all.

    `in_place`: whether the image itself is changed, and not a copy of it.

    Raises:
        RefusedError: all of it is refused.
    """
    kept, skipped = list(plan.steps), []
    while found := _refused(
        kept, disks, in_place, promise=True
    ):  # a log that is not replayed may be what other steps wait for
        titles = {_finding(step): f"{step.change.title} is refused: {why}" for step, why in reversed(found)}
        reasons = {id(step): why for step, why in found}
        for step in kept:
            if _finding(step) in titles:
                because = reasons.get(id(step), titles[_finding(step)])
                skipped.append(Skipped(step.check, step.change.title, because))
        kept = [step for step in kept if _finding(step) not in titles]
    if skipped and not kept:
        raise RefusedError(f"cannot {skipped[0].title}: {skipped[0].because}")
    return replace(plan, steps=tuple(kept)), skipped


def refuse_obstacles(plan: Plan, disks: list[Disk], in_place: bool = True) -> None:
    """Raises RefusedError where one of the changes cannot be made, before any is; `in_place` as above."""
    for step, why in _refused(list(plan.steps), disks, in_place):
        raise RefusedError(f"cannot {step.change.title}: {why}")


def _finding(step: Step) -> tuple[str, str]:
    return step.check, step.reason


def _refused(steps: list[Step], disks: list[Disk], in_place: bool, promise: bool = False) -> list[tuple[Step, str]]:
    obstacles = Obstacles(disks, replayed=[step.change for step in steps], promise=promise, in_place=in_place)
    return [(step, why) for step in steps if (why := obstacles.why_not(step.change))]
