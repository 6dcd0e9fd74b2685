"""boot-device: the store names a partition that this disk does not have, as after the disk was copied or made anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.bcd import Device, Format, edits
from vmrescue.bcd.device import encode
from vmrescue.checks.boot.boot_elements import element_fact
from vmrescue.checks.check import check
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part
from vmrescue.rehearsal.about import LostDevice
from vmrescue.rehearsal.way import DEVICE, OS_DEVICE
from vmrescue.windows.hive_changes import hive_changes
from vmrescue.windows.loaders import partition_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.bcd import Element
    from vmrescue.bcd.device import Target
    from vmrescue.checks.finding import Finding
    from vmrescue.checks.subject import Subject
    from vmrescue.plan import Change
    from vmrescue.rehearsal.stage import Fact


@check(
    "boot-device",
    family="boot",
    severity="critical",
    title="the boot store names a partition that the disk does not have",
    meaning="The boot manager stops with 0xc000000e or 0xc0000225: it does not find the volume that it is to start "
    "from. So it is after a disk was copied, restored or partitioned anew, and got another id.",
    fires="device or osdevice of the entry that is started names no partition at hand",
    repair="name the partition that holds the loader or the Windows, where exactly one does, in every entry that named "
    "the lost one",
    source="Microsoft, learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/error-code-0xc000000e and "
    "boot-error-status-not-found",
    step=RunbookStep.REPAIR_VM,
    needs=(Part.BOOT_STORE,),
)
def boot_device(subject: Subject) -> Iterator[Finding]:
    store = subject.boot.store
    for lost in _by_target(subject):
        elements = {fact.what: store.object(each.object).element(each.element) for fact, each in lost}
        facts = [element_fact(element.object, element) for element in elements.values() if element]
        yield boot_device.finding(
            "; ".join(f"{fact.what}: {fact.said}" for fact, _ in lost),
            facts=facts,
            changes=_changes(subject, [each for _, each in lost]),
        )


def _by_target(subject: Subject) -> list[list[tuple[Fact, LostDevice]]]:
    """What is lost, together where it is the same partition, and the same one is meant."""
    found: dict[object, list[tuple[Fact, LostDevice]]] = {}
    for fact in subject.rehearsal.facts():
        if isinstance(lost := fact.about, LostDevice):
            target = lost.device.target if lost.device else (lost.object, lost.element)
            found.setdefault((target, lost.candidates), []).append((fact, lost))
    return list(found.values())


def _changes(subject: Subject, lost: list[LostDevice]) -> list[Change]:
    """Makes every device that named the lost partition name the one that is meant, where one alone can be."""
    device, candidates = lost[0].device, lost[0].candidates
    target = partition_of(candidates[0]) if len(candidates) == 1 else None
    if target is None:
        return []
    places = {(each.object, each.element) for each in lost}
    if device is not None:
        places |= {
            (entry.guid, number)
            for entry in subject.boot.store.objects()
            for number in (DEVICE, OS_DEVICE)
            if (element := entry.element(number)) and _names(element, device.target)
        }
    wanted = encode(target)
    operations = [edits.set_element(*place, Format.DEVICE, wanted) for place in sorted(places)]
    return hive_changes(subject.boot.hive, operations)


def _names(element: Element, target: Target) -> bool:
    device = element.sound_value
    return isinstance(device, Device) and device.target == target
