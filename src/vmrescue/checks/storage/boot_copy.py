"""boot-copy: an NTFS volume without the copy of its boot sector, from which a damaged one could be restored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.checks.check import check
from vmrescue.checks.facts import VolumeFact
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part
from vmrescue.errors import FormatError, UnsupportedError
from vmrescue.ntfs.edit.boot_copy import read_boot_copy
from vmrescue.ntfs.edit.boot_restore import spare_boot_sector
from vmrescue.plan import FileRef, WriteBootCopy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.finding import Finding
    from vmrescue.checks.subject import Subject


@check(
    "boot-copy",
    family="storage",
    severity="advice",
    title="the copy of an NTFS volume's boot sector is missing or differs",
    meaning="The copy is only read if the first sector of the volume is lost. Windows starts without it, and files "
    "can still be edited.",
    fires="the sector behind an NTFS volume's last one differs from its first sector",
    repair="write the copy, if nothing else is in its place",
    source="NTFS: the copy of the boot sector lies in the sector behind the volume's last one",
    step=RunbookStep.REPAIR_VM,
    needs=(Part.VOLUMES,),
    applicability="on_request",
)
def boot_copy(subject: Subject) -> Iterator[Finding]:
    for volume in subject.volumes:
        if volume.file_system != "NTFS":
            continue
        try:
            found = read_boot_copy(volume.device)
        except (FormatError, UnsupportedError):
            continue  # volume-state says so
        if found.same or spare_boot_sector(volume.device):
            continue  # where the copy is the better one, `boot-sector` says so
        place = FileRef(volume.disk_index, volume.partition.number, "$Boot")
        if not found.fits:
            what = "is missing: the partition ends with the volume"
        elif found.free:
            what = "is missing or out of date"
        else:
            what = "is not there: the sector behind the volume holds something else, and is left alone"
        yield boot_copy.finding(
            f"the copy of the boot sector of {volume} {what}",
            facts=(VolumeFact(str(volume), volume.position + found.position),),
            changes=(WriteBootCopy(place, found.position),) if found.free else (),
        )
