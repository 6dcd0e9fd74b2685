"""boot-sector: the first sector of an NTFS volume is lost or starts nothing, and its copy is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.checks.check import check
from vmrescue.checks.facts import VolumeFact
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part
from vmrescue.digests import sha256
from vmrescue.ntfs.edit.boot_restore import spare_boot_sector
from vmrescue.plan import FileRef, RestoreBootSector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.finding import Finding
    from vmrescue.checks.subject import Subject


@check(
    "boot-sector",
    family="boot",
    severity="critical",
    title="the first sector of an NTFS volume is lost or starts nothing, and its copy is whole",
    meaning="A BIOS that starts from the volume stops there; where the sector is lost, nobody finds the files on it.",
    fires="the first sector is no boot sector, or holds no program or one that only says that the disk is not "
    "bootable, and the sector behind the volume holds a better copy, which describes the same volume, whose file table "
    "is there",
    repair="write the copy in its place",
    source="NTFS: the copy of the boot sector lies in the sector behind the volume's last one; Microsoft, "
    "learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-guide-not-bootable-disk",
    step=RunbookStep.REPAIR_VM,
    needs=(Part.VOLUMES,),
)
def boot_sector(subject: Subject) -> Iterator[Finding]:
    for volume in subject.volumes:
        if volume.file_system not in ("NTFS", None) or volume.partition.role != "basic data":
            continue
        spare = spare_boot_sector(volume.device)
        if spare is None:
            continue
        place = FileRef(volume.disk_index, volume.partition.number, "")
        yield boot_sector.finding(
            f"the first sector of {volume} is lost or starts nothing; its copy, at byte {spare.position} of the "
            "volume, is whole",
            facts=(VolumeFact(str(volume), volume.position),),
            changes=(RestoreBootSector(place, sha256([spare.first]), sha256([spare.copy])),),
        )
