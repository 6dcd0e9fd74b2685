"""boot-sector: the first sector of an NTFS or FAT32 volume is lost or starts nothing, and its copy is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.checks.check import check
from vmrescue.checks.facts import VolumeFact
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part
from vmrescue.digests import sha256
from vmrescue.plan import FileRef, RestoreBootSector
from vmrescue.signatures import NTFS
from vmrescue.volume.disk_encryption import may_be_encrypted
from vmrescue.volumes.boot_sector import spare_boot_sector
from vmrescue.windows.loaders import partition_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.finding import Finding
    from vmrescue.checks.subject import Subject
    from vmrescue.volume.spare_boot_sector import SpareBootSector
    from vmrescue.windows import Volume

NAME = slice(3, 11)  # of a boot sector: the file system's
FOREIGN = (
    "What the volume begins with may be another system's, put where {0} was: the copy and its file table still lie "
    "there. No entry of the boot store names the volume. Who knows that it is {0} puts the copy back with TestDisk."
)
ENCRYPTED = (
    "What the volume begins with looks like chance: something may encrypt it, and not have come to its end yet, where "
    "the copy lies. Over that the copy would be damage. Who knows that it is {0} puts it back with TestDisk."
)


@check(
    "boot-sector",
    family="boot",
    severity="critical",
    title="the first sector of a volume is lost or cannot start anything, and its copy is whole",
    meaning="A BIOS that starts from the volume stops there. If the sector is lost, nobody finds the files on the "
    "volume.",
    fires="of NTFS: the first sector is no boot sector, or has no program, or has one that only says that the disk is "
    "not bootable; and the sector behind the volume has a better copy, which describes the same volume, and the file "
    "table is where it says. Of FAT32: the first sector is no boot sector, and sector 6 has a copy whose allocation "
    "table and root directory are there. It is a warning if the volume can still be read, and is not the active one",
    repair="write the copy in its place. Nothing is written over a first sector that is not NTFS's if it looks "
    "random (perhaps an unfinished encryption), or if no entry of a store, no active flag and no partition type of an "
    "EFI system partition says that the volume is meant",
    source="NTFS: the copy of the boot sector lies in the sector behind the volume's last one; Microsoft, FAT32 File "
    "System Specification 1.03, BPB_BkBootSec: it lies in sector 6; Microsoft, "
    "learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-guide-not-bootable-disk",
    step=RunbookStep.REPAIR_VM,
    needs=(Part.VOLUMES,),
)
def boot_sector(subject: Subject) -> Iterator[Finding]:
    for volume in subject.volumes:
        if volume.file_system not in ("NTFS", None) or volume.partition.role not in ("basic data", "EFI system"):
            continue
        spare = spare_boot_sector(volume)
        if spare is None or (volume.partition.role == "EFI system" and spare.file_system == "NTFS"):
            continue
        place = FileRef(volume.disk_index, volume.partition.number, "")
        chance = may_be_encrypted(volume.device)
        sure = spare.first[NAME] == NTFS or (_is_meant(subject, volume) and not chance)
        yield boot_sector.finding(
            f"the first sector of {volume} is lost or starts nothing; its copy, at byte {spare.position} of the "
            "volume, is whole",
            severity=None if sure and (_is_started(volume) or not _is_read(spare)) else "warning",
            meaning=None if sure else (ENCRYPTED if chance else FOREIGN).format(spare.file_system),
            facts=(VolumeFact(str(volume), volume.position),),
            changes=(RestoreBootSector(place, sha256([spare.first]), sha256([spare.copy])),) if sure else (),
        )


def _is_read(spare: SpareBootSector) -> bool:
    """Whether the first sector still says which volume it is of, so that others may read it all the same."""
    return spare.is_described and (spare.file_system != "NTFS" or spare.first[NAME] == NTFS)


def _is_started(volume: Volume) -> bool:
    """Whether a BIOS begins with this volume: its program, and the signature behind that, count nowhere else."""
    return volume.partition.active and not volume.disk_index


def _is_meant(subject: Subject, volume: Volume) -> bool:
    """Whether a start needs the volume: it is the active one, or UEFI's, or an entry of a boot store names it."""
    if _is_started(volume) or volume.partition.role == "EFI system":
        return True
    name = partition_of(volume)
    entries = [loader.entry for loader in subject.installation.loaders]
    devices = [entry.device(name) for entry in entries for name in ("device", "osdevice")]
    return name is not None and name in [device.place for device in devices if device]
