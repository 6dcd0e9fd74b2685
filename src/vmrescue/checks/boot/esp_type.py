"""esp-type: the partition that UEFI starts from is not marked as the EFI system partition."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from vmrescue.checks.check import check
from vmrescue.checks.facts import VolumeFact
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part
from vmrescue.plan import FileRef, SetPartitionType
from vmrescue.rehearsal.about import LostType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.finding import Finding
    from vmrescue.checks.subject import Subject

EFI_SYSTEM = UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")  # UEFI 2.10, 5.3.3


@check(
    "esp-type",
    family="boot",
    severity="warning",
    title="the partition with UEFI's boot manager is not marked as the EFI system partition",
    meaning="A firmware that looks at the type says that it finds no operating system. The firmware of Hyper-V and "
    "Azure tries every FAT volume. Some tools give the partition another type so that it gets a drive letter.",
    fires="no partition of a GPT has the type of an EFI system partition, and FAT volumes have a boot manager of UEFI",
    repair="give the partition that type, if exactly one basic data volume has the boot manager",
    source="UEFI 2.10, 5.3.3; github.com/microsoft/mu_msvm, DeviceBootManagerLib.c: which volumes the firmware tries",
    step=RunbookStep.REPAIR_VM,
    needs=(Part.VOLUMES,),
    applicability="on_request",
)
def esp_type(subject: Subject) -> Iterator[Finding]:
    for fact in subject.rehearsal.facts():
        if not isinstance(lost := fact.about, LostType) or not lost.candidates:
            continue
        volume = lost.candidates[0]
        alone = len(lost.candidates) == 1 and volume.partition.role == "basic data"
        place = FileRef(volume.disk_index, volume.partition.number, "")
        change = SetPartitionType(place, str(volume.partition.type), str(EFI_SYSTEM))
        yield esp_type.finding(
            f"{fact.said}; a boot manager of UEFI lies on {', '.join(map(str, lost.candidates))}",
            facts=tuple(VolumeFact(str(each), each.position) for each in lost.candidates),
            changes=(change,) if alone else (),
            about=(fact.reason,),
        )
