r"""boot-store: there is no boot store, or a file that is none, and what it has to say can be told from the disk.

A store that is only partly damaged is left as it is: its content may still be needed. It is certain which Windows and
which boot volume are meant if there is exactly one of each, and both are whole. What else the lost store contained is
not known. So a store is made only on request, or as a step of a rescue.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from vmrescue.bcd.new_store import STORE_MINOR, NewLoader, new_store
from vmrescue.checks.boot.missing_part import THE_STORE
from vmrescue.checks.check import check
from vmrescue.checks.facts import FileFact
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part
from vmrescue.digests import sha256
from vmrescue.errors import NotFoundError
from vmrescue.plan import FileRef, PutFile
from vmrescue.readers.file_system import chunks
from vmrescue.registry import Hive
from vmrescue.registry.operations import make
from vmrescue.rehearsal import endings
from vmrescue.rehearsal.files import fault_of_file, machine_of
from vmrescue.rehearsal.firmware import UEFI_MANAGER
from vmrescue.rehearsal.stage import State
from vmrescue.windows.boot_store import BIOS_STORE, UEFI_STORE
from vmrescue.windows.loaders import lasting_partition_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.finding import Finding
    from vmrescue.checks.subject import Subject
    from vmrescue.windows import Installation, OperatingSystem, Volume
    from vmrescue.windows.boot_store import BootStore

LOADERS = {1: "winload.exe", 2: "winload.efi"}
NAMES = uuid.UUID("3d5f9a52-62c2-4cbe-8f0c-6a3a2f0d7d11")  # of the entries made here: the same disk gets the same one
HIVE_NAME = "BCD"
WRITTEN = datetime(2000, 1, 1, tzinfo=UTC)  # of its keys: the same disk gets the same store, as it was shown


@check(
    "boot-store",
    family="boot",
    severity="critical",
    title="there is no boot store, or the file is no boot store, and the disk shows what the store must contain",
    meaning="The boot manager stops with 0xc000000f: it does not know what to start. This happens after the store "
    "was deleted or overwritten, or after the boot volume was formatted and got only its boot manager back.",
    fires="no volume has a boot store, or the only one has nothing of a hive (for example, all zeros); and one boot "
    "volume has a whole boot manager, and one Windows a whole loader for it",
    repair="make a store with the boot manager, an entry for that Windows, and the settings that they inherit. "
    "Windows RE, and whatever else a store may have, is not in it",
    source='Microsoft, "BCDBoot Command-Line Options"; '
    "learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/boot-error-0xc000000f",
    step=RunbookStep.REPAIR_VM,
    needs=(Part.VOLUMES,),
    applicability="on_request",
)
def boot_store(subject: Subject) -> Iterator[Finding]:
    found = subject.installation
    if not all(each.is_no_hive for each in found.stores):
        return  # there is one, sound or damaged in a part: nothing is made
    if why := subject.why_missing([Part.WINDOWS]):
        raise NotFoundError(why)  # so that what a store has to say is not known
    windows = subject.windows
    if found.unreadable or found.encrypted or found.generation is None or len(found.systems) != 1:
        return
    boot = _boot_volume(subject, found.generation)
    path = UEFI_STORE if found.generation == 2 else BIOS_STORE
    if boot is None or not all(_is_in_place(each, boot, path) for each in found.stores):
        return
    if not boot.has_folder(path.rpartition("\\")[0]) or not _has_loader(windows, found.generation):
        return
    content = _content(found, boot, windows)
    if content is None:
        return
    place = FileRef(boot.disk_index, boot.partition.number, path)
    before = sha256(chunks(boot.files.open(path))) if found.stores else None
    said = (
        f"\\{path} on {boot} is no boot store, nor a part of one" if found.stores else f"there is no \\{path} on {boot}"
    )
    yield boot_store.finding(
        f"{said}; {windows} is the one Windows there is, and its loader is whole",
        facts=(FileFact(f"\\{path}", boot.files.size_of(path), None),),
        changes=(PutFile(place, before, content),),
        about=[THE_STORE, *(fact.reason for fact in subject.rehearsal.facts() if fact.ending is endings.NO_STORE)],
    )


def _is_in_place(store: BootStore, boot: Volume, path: str) -> bool:
    return store.volume is boot and store.path == path


def _boot_volume(subject: Subject, generation: int) -> Volume | None:
    """The one from which the firmware surely starts, and whose boot manager is whole."""
    stage = subject.rehearsal.stage(endings.FIRMWARE)
    if stage.state in (State.STOP, State.UNKNOWN):
        return None
    disk = subject.installation.disks[0]
    if generation == 1:
        volumes = disk.active_volumes
        return volumes[0] if len(volumes) == 1 else None
    volumes = [each for each in disk.volumes if each.partition.role == "EFI system" and each.readable]
    whole = [each for each in volumes if fault_of_file(each, UEFI_MANAGER) is None]
    return whole[0] if len(volumes) == len(whole) == 1 else None


def _has_loader(windows: OperatingSystem, generation: int) -> bool:
    """Whether its loader for this firmware is whole, and for the same machine as its kernel."""
    system32 = f"{windows.root}\\System32"
    machine = machine_of(windows.volume, f"{system32}\\ntoskrnl.exe")
    loader = f"{system32}\\{LOADERS[generation]}"
    return machine is not None and fault_of_file(windows.volume, loader, machine=machine) is None


def _content(found: Installation, boot: Volume, windows: OperatingSystem) -> bytes | None:
    """The store as a file; None where a partition has no name that a device element can say."""
    places = lasting_partition_of(boot), lasting_partition_of(windows.volume)
    if places[0] is None or places[1] is None or windows.volume.disk_index:
        return None
    generation = found.generation or 0
    loader = NewLoader(
        uuid.uuid5(NAMES, f"{places[1]}\\{windows.root}"),
        places[1],
        f"\\{windows.root}",
        f"\\{windows.root}\\system32\\{LOADERS[generation]}",
        windows.product.name or "Windows",
    )
    hive = Hive.create(HIVE_NAME, minor=STORE_MINOR, clock=lambda: WRITTEN)
    make(hive, new_store(places[0], f"\\{UEFI_MANAGER}" if generation == 2 else None, loader))
    return hive.to_bytes()
