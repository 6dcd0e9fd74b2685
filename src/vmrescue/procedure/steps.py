"""The steps of a rescue, in the order in which they are made, and the checks whose findings each of them mends.

Every check whose changes a repair makes by itself belongs to a step: by its name, or else by its family. What is mended
on request alone belongs to none, unless a step names it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.checks.rules import CHECKS
from vmrescue.dataclass import dataclass
from vmrescue.errors import UsageError, must_be_several, must_be_some
from vmrescue.near import meant

if TYPE_CHECKING:
    from collections.abc import Collection

    from vmrescue.checks.check import Family


@dataclass(frozen=True)
class ProcedureStep:
    """A step of a rescue.

    Attributes:
        id: how it is named.
        title: what it does, in a few words.
        checks: whose findings it mends, those that are mended on request included.
        families: of these every other check too whose changes are safe.
    """

    id: str
    title: str
    checks: tuple[str, ...] = ()
    families: tuple[Family, ...] = ()


LOGS = ProcedureStep("logs", "replay what Windows left in its logs", ("volume-state", "hive-log"))
BOOT = ProcedureStep(
    "boot", "put the boot path right", ("boot-copy", "boot-file", "boot-store", "esp-type"), ("boot", "storage")
)
SPACE = ProcedureStep("space", "make room on the volume of Windows", ("free-space",))
STEPS = (
    LOGS,
    ProcedureStep("memory", "give Windows all its memory", ("bad-memory",), ("memory",)),
    BOOT,
    ProcedureStep("page-file", "put the page file where it belongs", ("page-file",)),
    SPACE,
    ProcedureStep("serial-console", "switch the serial console on", ("serial-console",)),
    ProcedureStep("dump", "have a crash write a memory dump", ("crash-dump",), ("settings",)),
)


def chosen_steps(only: Collection[str] | None = None, without: Collection[str] = ()) -> list[ProcedureStep]:
    """The steps that are wanted. Raises UsageError for a name that is no step's, and for an empty `only`."""
    must_be_some("only", only)
    must_be_several("without", without)
    names = [step.id for step in STEPS]
    if unknown := {*(only or ()), *without} - set(names):
        raise UsageError(f"there is no step {min(unknown)!r}{meant(min(unknown), names)}")
    return [step for step in STEPS if (only is None or step.id in only) and step.id not in without]


def step_of(check: str) -> ProcedureStep | None:
    """The step that mends what a check finds; None where it is mended only when its check is named."""
    named = next((step for step in STEPS if check in step.checks), None)
    if named or check not in CHECKS or CHECKS[check].applicability != "safe":
        return named
    return next((step for step in STEPS if CHECKS[check].family in step.families), None)


def checks_of(steps: Collection[ProcedureStep]) -> list[str]:
    """The checks whose findings these steps mend, in the order of the table of checks."""
    return [check for check in CHECKS if step_of(check) in steps]
