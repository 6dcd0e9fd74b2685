"""volume-state: a volume that Windows did not close: what that blocks, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.checks.check import check
from vmrescue.checks.facts import StateFact, VolumeFact
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part
from vmrescue.plan import FileRef, ReplayVolumeLog
from vmrescue.volume import lost_boot_sector
from vmrescue.volume.state import StateName

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.finding import Finding
    from vmrescue.checks.subject import Subject
    from vmrescue.plan import Change
    from vmrescue.windows import Volume

PART_OF_A_WHOLE = "part of a whole"
NOT_READ, NOT_KNOWN, WITHOUT_BOOT_SECTOR = "not read", "not known", "without its boot sector"
WANTED: tuple[str, ...] = ("basic data", "EFI system")  # roles of partitions in which a volume of Windows lies
MEANINGS: dict[str, str] = {
    StateName.DIRTY: (
        "Windows will check the volume at its next start; values and boot entries can be repaired all the same."
    ),
    StateName.LOG_PENDING: (
        "NTFS's own log holds work that Windows will redo at its next start: values and boot entries can be repaired "
        "where their hive keeps its size, but no file can be created, deleted or resized until the log is replayed."
    ),
    StateName.HIBERNATED: (
        "Windows is only asleep and keeps the state of all its volumes in its memory image: nothing on its disks may "
        "be changed. Start the VM and shut it down fully (shutdown /s /f /t 0), or turn hibernation off."
    ),
    StateName.ENCRYPTED: (
        "Nothing on the volume can be read or changed. Unlock it first, with BitLocker's recovery key "
        "(manage-bde -unlock on a repair VM) or by the product that encrypts it, or decrypt it."
    ),
    PART_OF_A_WHOLE: (
        "What lies in it may be a piece of a spanned, striped or mirrored volume: it is read as if it stood for "
        "itself, and nothing on it is changed. Edit it in a Windows that has all disks of the volume."
    ),
    NOT_READ: ("Nothing on it was looked at: only NTFS and FAT are read."),
    NOT_KNOWN: (
        "It was never formatted, its first sectors were overwritten, or another product than Windows encrypts it: "
        "Windows alone would offer to format it. Nothing on it was looked at, and nothing is changed."
    ),
    WITHOUT_BOOT_SECTOR: (
        "Windows and most firmware find the volume by its first sector. The copy is put in its place by "
        "boot-sector, where that is sure, or with TestDisk; nothing on the volume was looked at."
    ),
    StateName.DAMAGED: (
        "What cannot be read here Windows may not be able to mount either: let chkdsk look at it. Nothing on it is "
        "changed."
    ),
}


@check(
    "volume-state",
    family="storage",
    severity="warning",
    title="a volume was not closed, or is not read: dirty flag, unreplayed NTFS log, hibernation, encryption, damage",
    meaning="Windows did not close the volume, or it cannot be read as it is. The finding says what that "
    "blocks, and what to do about it.",
    fires="a volume is marked as dirty, has a log that must be replayed, has a sleeping Windows, is encrypted, is a "
    "part of a dynamic disk or storage pool, is damaged, has no boot sector, or has content "
    "that is not read",
    repair="replay the log of an NTFS volume",
    source="NTFS: the flags in $Volume, the restart areas of $LogFile; hiberfil.sys; BitLocker's signature; "
    "VeraCrypt's loader, BootSector.asm",
    step=RunbookStep.REPAIR_VM,
    needs=(Part.VOLUMES,),
    applicability="on_request",
)
def volume_state(subject: Subject) -> Iterator[Finding]:
    for volume in subject.volumes:
        name, reasons = _state(volume)
        if name == StateName.CLEAN:
            continue
        yield volume_state.finding(
            _summary(volume, name, reasons),
            meaning=MEANINGS[name],
            severity="advice" if name in (NOT_READ, NOT_KNOWN) or _is_aside(subject, volume, name) else None,
            facts=(
                VolumeFact(str(volume), volume.position),
                StateFact(volume.file_system, str(name), tuple(reasons)),
            ),
            changes=(_replay(volume, reasons),) if name == StateName.LOG_PENDING else (),
        )


def _is_aside(subject: Subject, volume: Volume, name: str) -> bool:
    """Whether it only is closed to us, and holds neither the Windows that boots nor its boot store."""
    found = subject.installation
    if name not in (StateName.ENCRYPTED, PART_OF_A_WHOLE) or found.os is None or not found.stores:
        return False
    return volume not in (found.os.volume, found.stores[0].volume)


def _summary(volume: Volume, name: str, reasons: list[str]) -> str:
    """The state is not named where the first reason is that Windows itself has marked the volume so."""
    said = "; ".join(reasons)
    mark = f"the volume is marked as {name}"
    return f"{volume}{said.removeprefix('the volume')}" if said.startswith(mark) else f"{volume} is {name}: {said}"


def _replay(volume: Volume, reasons: list[str]) -> Change:
    log = FileRef(volume.disk_index, volume.partition.number, "$LogFile")
    return ReplayVolumeLog(log, "; ".join(reasons))


def _part(volume: Volume) -> str | None:
    """What a volume is a part of; nothing is said of a partition that holds only what keeps the parts together."""
    return volume.partition.part_of if volume.file_system else None


def _state(volume: Volume) -> tuple[str, list[str]]:
    if part_of := _part(volume):
        return PART_OF_A_WHOLE, [f"its partition ({volume.partition.type_name}) belongs to {part_of}"]
    if volume.readable or volume.state.name != StateName.CLEAN or volume.partition.role not in WANTED:
        return volume.state.name, volume.state.reasons
    if volume.file_system:
        return NOT_READ, [f"it holds {volume.file_system}"]
    if volume.is_like_chance:
        return NOT_KNOWN, ["its first sector looks like chance"]
    if lost := lost_boot_sector(volume.device):
        return WITHOUT_BOOT_SECTOR, [
            f"its first sector is no volume's; an intact one of {lost[0]} is at byte {lost[1]}"
        ]
    return NOT_KNOWN, ["its first sector is that of no file system"]
