"""driver-verifier: Windows tests drivers at every start, and stops where one fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.checks.check import check
from vmrescue.checks.facts import Setting
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part
from vmrescue.registry.operations import DeleteValue
from vmrescue.windows.hive_changes import hive_changes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.finding import Finding
    from vmrescue.checks.subject import Subject

MEMORY = "Control\\Session Manager\\Memory Management"
DRIVERS, LEVEL = "VerifyDrivers", "VerifyDriverLevel"


@check(
    "driver-verifier",
    family="boot",
    severity="advice",
    title="Driver Verifier is on",
    meaning="At every start Windows tests the drivers that are named, and stops if one fails a test (0xC4). If the "
    "VM restarts again and again because of this, turn the tests off.",
    fires="VerifyDrivers below Memory Management names drivers, in a control set that may boot",
    repair="delete VerifyDrivers and VerifyDriverLevel",
    source='Microsoft, "Driver Verifier", "Bug Check 0xC4: DRIVER_VERIFIER_DETECTED_VIOLATION"',
    step=RunbookStep.REPAIR_VM,
    needs=(Part.WINDOWS,),
    applicability="on_request",
)
def driver_verifier(subject: Subject) -> Iterator[Finding]:
    hive = subject.windows.system
    for control_set in subject.windows.bootable_control_sets:
        key = f"{control_set}\\{MEMORY}"
        named = hive.text(key, DRIVERS)
        if not named or not named.strip():
            continue
        yield driver_verifier.finding(
            f"{key}: Driver Verifier tests {named.strip()}",
            facts=(Setting(hive.path, key, DRIVERS, hive.data(key, DRIVERS), None),),
            changes=hive_changes(hive, [DeleteValue(key, name) for name in (DRIVERS, LEVEL)]),
        )
