"""boot-device: the store names a partition that this disk does not have, as after the disk was copied or made anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.bcd import Device, Format, edits
from vmrescue.bcd.device import RamDisk, encode
from vmrescue.bcd.elements import name_of
from vmrescue.checks.boot.boot_elements import os_device_of, text_of
from vmrescue.checks.check import check
from vmrescue.checks.fact import ElementDifference
from vmrescue.checks.facts import BootElement, FurtherElements
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part
from vmrescue.rehearsal.about import LostDevice
from vmrescue.rehearsal.stage import State
from vmrescue.rehearsal.way import OS_DEVICE
from vmrescue.windows.hive_changes import hive_changes
from vmrescue.windows.loaders import lasting_partition_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from vmrescue.bcd import Element
    from vmrescue.bcd.device import Partition
    from vmrescue.checks.fact import Fact as Evidence
    from vmrescue.checks.finding import Finding
    from vmrescue.checks.subject import Subject
    from vmrescue.rehearsal.stage import Fact
    from vmrescue.volumes.disk import Volume

    Place = tuple[UUID, int]  # an object and one of its elements

RECOVERY_ALONE = (
    "Only the entry of Windows RE names it. Windows RE is started after two failed starts, and would not start. "
    "This happens after the recovery partition was deleted to make room for the partition of Windows."
)
NO_SIGNATURE = (
    "This disk has no signature (it is zero) by which the store could name it: give it back the one that the store "
    "names."
)
NOT_KNOWN = "a partition of this disk: which one, it does not tell"


@check(
    "boot-device",
    family="boot",
    severity="critical",
    title="the boot store names a partition that the disk does not have",
    meaning="The boot manager stops with 0xc000000e or 0xc0000225: it does not find the volume from which to start. "
    "This happens after a disk was copied, restored or partitioned anew, and got another id.",
    fires="device or osdevice of the entry that is started names no partition of the given disks. It is advice if "
    "only the entry of Windows RE does so",
    repair="name the partition that has the loader or the Windows, if exactly one has it, in every entry that names "
    "the lost one",
    source="Microsoft, learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/error-code-0xc000000e and "
    "boot-error-status-not-found",
    step=RunbookStep.REPAIR_VM,
    needs=(Part.BOOT_STORE,),
)
def boot_device(subject: Subject) -> Iterator[Finding]:
    hive = subject.boot.hive
    for lost in _by_partition(subject):
        replaced = _replaced(subject, [each for _, each in lost])
        operations = [edits.set_element(*place, Format.DEVICE, new) for place, new in replaced if new]
        candidates = lost[0][1].candidates
        unnamed = f"{candidates[0]}, whose disk has no signature" if len(candidates) == 1 else NOT_KNOWN
        stops = any(fact.state is State.STOP for fact, _ in lost)
        yield boot_device.finding(
            "; ".join(fact.reason for fact, _ in lost),
            severity="critical" if stops else "advice",
            meaning=_meaning(stops, lost[0][1]),
            facts=_facts([_difference(subject, place, str(new) if new else unnamed) for place, new in replaced]),
            changes=hive_changes(hive, operations),
            about=[fact.reason for fact, _ in lost]
            + [os_device_of(each.object) for _, each in lost if each.element == OS_DEVICE],
        )


def _meaning(stops: bool, lost: LostDevice) -> str | None:
    """What is said instead of, or beside, what is said of all."""
    if not stops:
        return RECOVERY_ALONE
    if lost.candidates and not lost.candidates[0].disk.table.disk_id:
        return f"{boot_device.meaning} {NO_SIGNATURE}"
    return None


def _by_partition(subject: Subject) -> list[list[tuple[Fact, LostDevice]]]:
    """What is lost, together where it is the same partition, and the same one is meant.

    A device whose file is found nowhere, such as that of recovery, goes with the others that name its partition.
    """
    found: dict[tuple[object, tuple[Volume, ...]], list[tuple[Fact, LostDevice]]] = {}
    rest: list[tuple[Fact, LostDevice]] = []
    for fact in subject.rehearsal.facts():
        if isinstance(lost := fact.about, LostDevice):
            if lost.candidates:
                found.setdefault((_named(lost), lost.candidates), []).append((fact, lost))
            else:
                rest.append((fact, lost))
    for fact, lost in rest:
        alike = [key for key in found if key[0] == _named(lost)]
        found.setdefault(alike[0] if len(alike) == 1 else (_named(lost), ()), []).append((fact, lost))
    return list(found.values())


def _named(lost: LostDevice) -> object:
    """The partition that is lost; where the element names none, the element."""
    return lost.device.place if lost.device else (lost.object, lost.element)


def _replaced(subject: Subject, lost: list[LostDevice]) -> list[tuple[Place, Device | None]]:
    """The elements that are lost, with what they are to name: None where not one partition alone can be meant.

    Where one can, these are all elements of the store that name the lost partition.
    """
    store, candidates = subject.boot.store, lost[0].candidates
    new = lasting_partition_of(candidates[0]) if len(candidates) == 1 else None
    own = {(each.object, each.element) for each in lost}
    if new is None:
        return [(place, None) for place in sorted(own)]
    old = next((each.device.place for each in lost if each.device), None)
    places = own | {
        (entry.guid, element.id)
        for entry in store.objects()
        for element in entry.elements()
        if old is not None and (device := _device(element)) and device.place == old
    }
    return [
        (place, _moved(_device(_element(subject, place)), new))
        for place in sorted(places, key=lambda place: (place not in own, place))
    ]


def _element(subject: Subject, place: Place) -> Element | None:
    return subject.boot.store.object(place[0]).element(place[1])


def _device(element: Element | None) -> Device | None:
    device = element.sound_value if element else None
    return device if isinstance(device, Device) else None


def _moved(device: Device | None, partition: Partition) -> Device:
    """The same device in another partition; what is not set, or means nothing, becomes that partition."""
    if device and isinstance(device.target, RamDisk):
        return encode(RamDisk(partition, device.target.path), device.options)
    return encode(partition)


def _facts(elements: list[ElementDifference]) -> tuple[Evidence, ...]:
    """One of them by itself, as other checks of the boot store tell theirs, and the others."""
    return BootElement(*elements[0]), FurtherElements(tuple(elements[1:]))


def _difference(subject: Subject, place: Place, wanted: str) -> ElementDifference:
    """The element on both sides, in bcdedit's words."""
    entry, element = subject.boot.store.object(place[0]), _element(subject, place)
    found = text_of(element) if element else "(absent)"
    name = name_of(entry.type, place[1])
    return ElementDifference(str(entry.guid), entry.alias or None, name, found, wanted)
