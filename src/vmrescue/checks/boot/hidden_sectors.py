"""hidden-sectors: the active volume's boot sector says that it begins at another place of the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.checks.check import check
from vmrescue.checks.facts import VolumeFact
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part
from vmrescue.plan import FileRef, SetHiddenSectors
from vmrescue.rehearsal.about import HiddenSectors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.finding import Finding
    from vmrescue.checks.subject import Subject


@check(
    "hidden-sectors",
    family="boot",
    severity="warning",
    title="the active volume says that it begins at another sector than its partition",
    meaning="The program in the boot sector uses this number to find what it reads next. A BIOS may stop with a "
    "disk read error. This happens after a partition was copied or moved with tools that do not correct the number.",
    fires="the boot sector of an MBR's active partition, NTFS or FAT, has another number of hidden sectors than "
    "there are before the partition",
    repair="write the right number, in the boot sector and its copy",
    source="Microsoft, learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/"
    'boot-error-disk-read-error-occurred; "How NTFS Works": hidden sectors',
    step=RunbookStep.REPAIR_VM,
    needs=(Part.VOLUMES,),
)
def hidden_sectors(subject: Subject) -> Iterator[Finding]:
    for fact in subject.rehearsal.facts():
        if not isinstance(wrong := fact.about, HiddenSectors):
            continue
        volume = wrong.volume
        place = FileRef(volume.disk_index, volume.partition.number, "")
        yield hidden_sectors.finding(
            f"{volume}: {fact.said}",
            facts=(VolumeFact(str(volume), volume.position),),
            changes=(SetHiddenSectors(place, wrong.found, wrong.wanted),),
            about=(fact.reason,),
        )
