"""boot-driver: a driver without which the kernel reaches no disk does not start with the loader."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.checks.check import check
from vmrescue.checks.facts import Setting
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part
from vmrescue.plan import RegistryData
from vmrescue.rehearsal import endings
from vmrescue.rehearsal.about import BadService
from vmrescue.rehearsal.services import BOOT
from vmrescue.rehearsal.stage import State
from vmrescue.windows.hive_changes import set_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.finding import Finding
    from vmrescue.checks.subject import Subject
    from vmrescue.rehearsal.stage import Fact

START = "Start"


@check(
    "boot-driver",
    family="boot",
    severity="critical",
    title="a driver on the way to the disk does not start with the loader",
    meaning="The kernel stops with 0x7B (INACCESSIBLE_BOOT_DEVICE), because no driver reads the disk for it.",
    fires="a driver of this machine's bus, or of disks and volumes, has another Start than 0; or a filter of "
    "Windows' own is off although its file is there",
    repair="set Start to 0",
    source='Microsoft, "Stop error 7B or Inaccessible_Boot_Device"',
    step=RunbookStep.REPAIR_VM,
    needs=(Part.WINDOWS,),
)
def boot_driver(subject: Subject) -> Iterator[Finding]:
    hive, wanted = subject.windows.system, RegistryData.dword(BOOT)
    for fact, service in storage_services(subject):
        key = f"{service.control_set}\\Services\\{service.name}"
        late = service.start != BOOT and hive.key(key) is not None  # without a number, too
        if fact.state is State.STOP and not service.overridden and late:
            yield boot_driver.finding(
                f"{fact.what}: {fact.said}",
                facts=(Setting(hive.path, key, START, hive.data(key, START), wanted),),
                changes=(set_value(hive, key, START, wanted),),
                about=(fact.reason,),
            )


def storage_services(subject: Subject) -> Iterator[tuple[Fact, BadService]]:
    """What the stage says of drivers whose files are there."""
    for fact in subject.rehearsal.stage(endings.STORAGE).facts:
        if isinstance(fact.about, BadService) and fact.about.file is None:
            yield fact, fact.about
