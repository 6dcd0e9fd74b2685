"""start-override: certain hardware keeps a driver on the way to the disk from starting with the loader."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.checks.boot.boot_driver import storage_services
from vmrescue.checks.check import check
from vmrescue.checks.facts import Setting
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part
from vmrescue.registry.operations import DeleteValue
from vmrescue.rehearsal.stage import State
from vmrescue.windows.hive_changes import hive_changes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.finding import Finding
    from vmrescue.checks.subject import Subject

OVERRIDE = "StartOverride"


@check(
    "start-override",
    family="boot",
    severity="critical",
    title="StartOverride keeps a driver on the way to the disk from starting",
    meaning="On the hardware that the value is for, the driver does not start with the loader, and the kernel may "
    "stop with 0x7B. This happens on a VM that was moved to another host, or to a size with NVMe disks.",
    fires="a driver of this machine's bus has a value below StartOverride that is not 0",
    repair="delete the values",
    source="github.com/Azure/SAP-on-Azure-Scripts-and-Utilities/issues/147",
    step=RunbookStep.REPAIR_VM,
    needs=(Part.WINDOWS,),
    applicability="on_request",
)
def start_override(subject: Subject) -> Iterator[Finding]:
    hive = subject.windows.system
    for fact, service in storage_services(subject):
        if not service.overridden:
            continue
        key = f"{service.control_set}\\Services\\{service.name}\\{OVERRIDE}"
        changes = hive_changes(hive, [DeleteValue(key, name) for name in service.overridden])
        yield start_override.finding(
            f"{fact.what}: {fact.said}",
            severity="critical" if fact.state is State.STOP else "advice",  # whether it counts, the disk does not tell
            facts=tuple(Setting(hive.path, key, name, hive.data(key, name), None) for name in service.overridden),
            changes=changes,
            about=(fact.reason,),
        )
