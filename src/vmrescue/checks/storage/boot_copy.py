"""boot-copy: an NTFS volume without the copy of its boot sector: nothing minds, but nothing would find it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.checks import steps
from vmrescue.checks.finding import Finding
from vmrescue.errors import FormatError, UnsupportedError
from vmrescue.ntfs.edit.boot_copy import read_boot_copy
from vmrescue.plan import FileRef, WriteBootCopy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.policy import Policy
    from vmrescue.windows import Installation

ID = "boot-copy"
MEANING = (
    "the copy is only read where the first sector of the volume is lost: Windows starts without it, and files are "
    "edited all the same."
)


def check(installation: Installation, policy: Policy) -> Iterator[Finding]:
    for volume in installation.volumes:
        if volume.file_system != "NTFS":
            continue
        try:
            found = read_boot_copy(volume.device)
        except (FormatError, UnsupportedError):
            continue  # volume-state says so
        if found.same:
            continue
        place = FileRef(volume.disk_index, volume.partition.number, "$Boot")
        if not found.fits:
            what = "is missing: the partition ends with the volume"
        elif found.free:
            what = "is missing or out of date"
        else:
            what = "is not there: the sector behind the volume holds something else, and is left alone"
        yield Finding(
            check=ID,
            severity="advice",
            summary=f"the copy of the boot sector of {volume} {what}",
            meaning=MEANING,
            step=steps.REPAIR_VM,
            evidence={"volume": str(volume), "position": volume.position + found.position},
            changes=(WriteBootCopy(place, found.position),) if found.free else (),
            on_request=True,
        )
