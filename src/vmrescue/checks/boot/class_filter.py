"""class-filter: a class of devices on the way to the disk has a filter whose driver is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.checks.check import check
from vmrescue.checks.facts import Setting
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part
from vmrescue.plan import RegistryData
from vmrescue.registry.operations import DeleteValue, SetValue
from vmrescue.rehearsal.about import LostFilter
from vmrescue.rehearsal.own_services import FILTERS
from vmrescue.rehearsal.stage import State
from vmrescue.upcase import upper
from vmrescue.windows.hive_changes import hive_changes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.finding import Finding
    from vmrescue.checks.subject import Subject
    from vmrescue.rehearsal.stage import Fact

# Windows' own, on every healthy disk: without them it does not start either, so their names stay.
OTHERS = (
    "Windows starts no such controller. Where its disk lies behind one, it stops with 0x7B; which is so, the machine "
    "decides, as where a VM came from Xen and its drivers were removed."
)
OWN_IS_LOST = "One of Windows' own is among them: its service has to be put right."


@check(
    "class-filter",
    family="boot",
    severity="critical",
    title="a filter of disks, volumes or their controllers names a driver that is gone",
    meaning="Windows cannot build the driver stack of its disk and stops with 0x7B (INACCESSIBLE_BOOT_DEVICE). This "
    "happens after a program for backup, encryption or virus protection was not removed completely.",
    fires="UpperFilters or LowerFilters of such a class names a driver that has no service, is off, or has no file. "
    "It is a warning for IDE and AHCI controllers, if the disk may be reached in another way",
    repair="take the name out of the list, and delete the list if it is then empty. Nothing is changed if a filter "
    "of Windows' own is lost too",
    source='Microsoft, "Stop error 7B or Inaccessible_Boot_Device": UpperFilters and LowerFilters',
    step=RunbookStep.REPAIR_VM,
    needs=(Part.WINDOWS,),
)
def class_filter(subject: Subject) -> Iterator[Finding]:
    hive = subject.windows.system
    for (key, value), facts in _lists(subject).items():
        lost = {upper(fact.about.driver) for fact in facts if isinstance(fact.about, LostFilter)}
        own = lost & FILTERS
        found = hive.data(key, value)
        names = found.data if found and isinstance(found.data, list) else []
        stops = any(fact.state is State.STOP for fact in facts)
        left = [name for name in names if upper(name) not in lost]
        wanted = RegistryData.multi_sz(left) if left else None
        operation = SetValue(key, value, wanted.type, wanted.raw) if wanted else DeleteValue(key, value)
        yield class_filter.finding(
            "; ".join(f"{fact.what}: {fact.said}" for fact in facts),
            severity="critical" if stops else "warning",
            meaning=f"{class_filter.meaning} {OWN_IS_LOST}" if own else None if stops else OTHERS,
            facts=(Setting(hive.path, key, value, found, found if own else wanted),),
            changes=hive_changes(hive, [operation]) if not own else (),
            about=[fact.reason for fact in facts],
        )


def _lists(subject: Subject) -> dict[tuple[str, str], list[Fact]]:
    """What is lost, by the value that names it: several names may stand in one."""
    lists: dict[tuple[str, str], list[Fact]] = {}
    for fact in subject.rehearsal.facts():
        if isinstance(lost := fact.about, LostFilter):
            key = f"{lost.control_set}\\Control\\Class\\{lost.class_guid}"
            lists.setdefault((key, lost.value), []).append(fact)
    return lists
