"""cut-short: the end of an image is missing: data of a partition, or the footer that makes it a VHD."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.checks.check import check
from vmrescue.checks.facts import PartFact
from vmrescue.checks.intents import Copy
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.finding import Finding
    from vmrescue.checks.subject import Subject


@check(
    "cut-short",
    family="storage",
    severity="critical",
    title="the end of the image is missing",
    meaning="The file was not copied or downloaded to its end, or its partition table is that of a larger disk. "
    "What is missing cannot be restored from the image, so nothing in it is changed. Copy or download it again.",
    fires="a partition, or the volume in it by its boot sector, reaches beyond the end of the disk (by more than "
    "bytes that the volume does not use). It is a warning if only the footer is missing from a file that is named "
    "as a VHD",
    repair="none of the data. A copy of the disk has a footer again",
    source="the partition table; the sizes in the boot sectors of NTFS and FAT; Microsoft, Virtual Hard Disk Image "
    "Format Specification, and learn.microsoft.com/azure/virtual-machines/windows/prepare-for-upload-vhd-image: only a "
    "fixed VHD is taken",
    step=RunbookStep.REPAIR_VM,
    needs=(Part.VOLUMES,),
    applicability="advice",
    advises=(Copy,),
)
def cut_short(subject: Subject) -> Iterator[Finding]:
    for disk in subject.installation.disks:
        if why := disk.cut_short:
            yield cut_short.finding(f"{disk.path}: {why}", facts=(PartFact("the end of the image", why),))
        elif disk.device.facts.lost_footer:
            why = "a VHD ends with a footer, and there is none"
            yield cut_short.finding(
                f"{disk.path}: {why}",
                severity="warning",
                meaning="It is read as a raw image. Azure and Hyper-V do not take it as it is. If only the footer is "
                "missing, a copy that is made here has one.",
                facts=(PartFact("the VHD's footer", why),),
                intents=(Copy(disk.index),),
            )
