"""lost-driver: a driver is to start with the loader, and its file is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.checks.check import check
from vmrescue.checks.facts import Setting
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part
from vmrescue.plan import RegistryData
from vmrescue.registry.operations import SetValue
from vmrescue.rehearsal import endings
from vmrescue.rehearsal.about import BadService
from vmrescue.rehearsal.files import FaultKind
from vmrescue.rehearsal.own_services import is_own
from vmrescue.rehearsal.services import BOOT, DISABLED
from vmrescue.rehearsal.stage import State
from vmrescue.windows.hive_changes import hive_changes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.finding import Finding
    from vmrescue.checks.subject import Subject
    from vmrescue.windows import OperatingSystem

START = "Start"
OWN = "It is one of Windows' own: its file has to come from a Windows of the same build (put)."


@check(
    "lost-driver",
    family="boot",
    severity="critical",
    title="a driver that starts with the loader has no file",
    meaning="The loader stops with 0xc000000f if the driver's key calls the driver critical. For other drivers the "
    "sources differ. This happens after a program was removed by hand, or by a virus scanner.",
    fires="a service with Start 0 names a file that is not there, and neither its ErrorControl nor StartOverride "
    "says that the file may be missing. Of Windows' own drivers only those count without which the start ends",
    repair="set Start to 4 in each control set that may boot. Nothing is changed for a driver of Windows' own",
    source="Microsoft, learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/boot-error-0xc000000f",
    step=RunbookStep.REPAIR_VM,
    needs=(Part.WINDOWS,),
    applicability="on_request",
)
def lost_driver(subject: Subject) -> Iterator[Finding]:
    windows, off = subject.windows, RegistryData.dword(DISABLED)
    for fact in subject.rehearsal.stage(endings.DRIVERS).facts:
        lost = fact.about
        if (
            not isinstance(lost, BadService)
            or lost.expected
            or not lost.file
            or lost.file.fault.kind != FaultKind.MISSING
        ):
            continue
        stops, own = fact.state is State.STOP, is_own(lost.name)
        if own and not stops:
            continue  # what the kernel needs to reach its disk is told of its own
        keys = [] if own else _keys(windows, lost)
        yield lost_driver.finding(
            f"{fact.what}: {fact.said}",
            severity="critical" if stops else "advice",
            meaning=f"{lost_driver.meaning} {OWN}" if own else None,
            facts=tuple(Setting(windows.system.path, key, START, RegistryData.dword(BOOT), off) for key in keys),
            changes=hive_changes(windows.system, [SetValue(key, START, off.type, off.raw) for key in keys]),
            about=(fact.reason,),
        )


def _keys(windows: OperatingSystem, lost: BadService) -> list[str]:
    """The driver's keys in the control sets that may boot, where it is to start with the loader."""
    sets = dict.fromkeys([lost.control_set, *windows.bootable_control_sets])
    keys = [f"{control_set}\\Services\\{lost.name}" for control_set in sets]
    return [key for key in keys if windows.system.number(key, START) == BOOT]
