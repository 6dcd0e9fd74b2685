r"""control-set: `Select` does not say which control set is the current one, or which one the loader takes.

The loader goes by `Default`, and Windows writes `Current` when it starts; each is mended by what the other says, or by
the only set that there is. Where neither says anything, nothing is guessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.checks.check import check
from vmrescue.checks.facts import Setting
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part
from vmrescue.plan import RegistryData, SetValue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.finding import Finding
    from vmrescue.checks.subject import Subject
    from vmrescue.windows import OperatingSystem

SELECT = "Select"
NOT_KNOWN = "the number of one of them: which, it does not tell"
OTHERS = {"Default": "Current", "Current": "Default"}


@check(
    "control-set",
    family="boot",
    severity="warning",
    title="`Select` does not name an existing control set, as the current one or as the one to start with",
    meaning="The loader starts Windows with the control set that Default names, and stops if there is none.",
    fires="Select\\Default or Select\\Current is missing, is no number, or is the number of no control set",
    repair="set it to the other of the two values, or to the only control set that is there. If neither is "
    "possible, nothing is changed",
    source='Microsoft, "HKLM\\SYSTEM\\CurrentControlSet\\Control" and "Last known good": the values of Select',
    step=RunbookStep.REPAIR_VM,
    needs=(Part.WINDOWS,),
)
def control_set(subject: Subject) -> Iterator[Finding]:
    windows = subject.windows
    for value, other in OTHERS.items():
        found = windows.system.data(SELECT, value)
        if windows.selected_set(value) is None:
            yield _finding(windows, value, found, windows.selected_set(other) or _only(windows))


def _only(windows: OperatingSystem) -> str | None:
    return windows.control_sets[0] if len(windows.control_sets) == 1 else None


def _finding(windows: OperatingSystem, value: str, found: RegistryData | None, right: str | None) -> Finding:
    hive = windows.system
    wanted = RegistryData.dword(int(right[-3:])) if right else None
    known = ", ".join(windows.control_sets) or "none"
    what = "is missing" if found is None else f"is {found}, which names none of the control sets ({known})"
    return control_set.finding(
        f"Select\\{value} {what}" + ("" if right else "; nothing says which it should be"),
        severity="advice" if value == "Current" and right else None,
        meaning="Windows writes it when it starts; whoever edits the disk does not know which set is meant."
        if value == "Current"
        else None,
        facts=(Setting(hive.path, SELECT, value, found, wanted or NOT_KNOWN),),
        changes=(SetValue(hive.ref, SELECT, value, found, wanted),) if wanted else (),
    )
