r"""boot-file: a program of the boot path is missing or bad, and Windows keeps another copy of it on the same disk.

Windows keeps what it puts on the boot volume in ``\Windows\Boot``, its loaders in ``\Windows\System32\Boot``, and
drivers in its driver store.
Source: Microsoft, "BCDBoot Command-Line Options": the files that it copies, and from where.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.checks.boot.driver_store import spare_driver
from vmrescue.checks.check import check
from vmrescue.checks.facts import FileFact
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part
from vmrescue.digests import sha256
from vmrescue.errors import FormatError, NotFoundError, UnsupportedError, UsageError
from vmrescue.plan import FileRef, PutFile
from vmrescue.readers.file_system import whole
from vmrescue.rehearsal import endings
from vmrescue.rehearsal.about import BadFile, BadService
from vmrescue.rehearsal.files import FaultKind, fault_of_file, machine_of_windows
from vmrescue.rehearsal.own_services import is_own
from vmrescue.rehearsal.stage import State
from vmrescue.upcase import upper

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.finding import Finding
    from vmrescue.checks.subject import Subject
    from vmrescue.rehearsal.stage import Fact
    from vmrescue.windows import OperatingSystem, Volume

LARGEST = 16 << 20  # bytes; the boot manager and the loaders have some 2 MB

# by what a path ends with: where Windows keeps the same file, below its own folder
SPARES = {
    "EFI\\MICROSOFT\\BOOT\\BOOTMGFW.EFI": "Boot\\EFI\\bootmgfw.efi",
    "EFI\\BOOT\\BOOTX64.EFI": "Boot\\EFI\\bootmgfw.efi",
    "EFI\\BOOT\\BOOTAA64.EFI": "Boot\\EFI\\bootmgfw.efi",
    "EFI\\BOOT\\BOOTIA32.EFI": "Boot\\EFI\\bootmgfw.efi",
    "BOOTMGR": "Boot\\PCAT\\bootmgr",
    "SYSTEM32\\WINLOAD.EFI": "System32\\Boot\\winload.efi",
    "SYSTEM32\\WINLOAD.EXE": "System32\\Boot\\winload.exe",
}
NO_PROGRAMS = ("BOOTMGR",)  # in the format of Windows' programs


@check(
    "boot-file",
    family="boot",
    severity="critical",
    title="a program of the boot path is missing or bad, and Windows keeps another copy of it",
    meaning="The firmware or the boot manager finds nothing to start, or stops with 0xc000000f.",
    fires="bootmgr, bootmgfw.efi, bootx64.efi, the loader, or a driver of Windows' own without which the start "
    "ends, is missing, empty, zeros, cut short or for another machine; and the disk has a whole copy where Windows "
    "keeps one. A copy of a driver in the driver store must be of the kernel's build",
    repair="write the copy in its place",
    source='Microsoft, "BCDBoot Command-Line Options"; '
    "learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/boot-error-0xc000000f and os-bootmgr-missing",
    step=RunbookStep.REPAIR_VM,
    needs=(Part.OS_VOLUME,),
    applicability="on_request",
)
def boot_file(subject: Subject) -> Iterator[Finding]:
    windows = subject.windows
    seen: set[tuple[int, str]] = set()
    for fact, bad, driver in _bad_files(subject):
        if (place := (id(bad.volume), upper(bad.path))) in seen:
            continue
        seen.add(place)
        spare = spare_driver(windows, driver) if driver and _folder_is_there(bad) else _spare_of(windows, bad)
        if spare is None:
            continue
        path, content = spare
        before = None if bad.fault.kind is FaultKind.MISSING else sha256([_content(bad.volume, bad.path)])
        yield boot_file.finding(
            f"\\{bad.path} on {bad.volume}: {bad.fault.said}; \\{path} on {windows.volume} is whole",
            severity="critical" if driver or fact.state is State.STOP else "warning",
            facts=(FileFact(f"\\{path}", len(content), None),),
            changes=(PutFile(FileRef(bad.volume.disk_index, bad.volume.partition.number, bad.path), before, content),),
            about=(fact.reason,),
        )


def _bad_files(subject: Subject) -> Iterator[tuple[Fact, BadFile, BadService | None]]:
    """What the rehearsal says of programs; of drivers those of Windows' own without which the start ends."""
    stops = {
        upper(fact.about.name)
        for name in (endings.DRIVERS, endings.STORAGE)
        for fact in subject.rehearsal.stage(name).facts
        if isinstance(fact.about, BadService) and fact.state is State.STOP
    }
    for fact in subject.rehearsal.facts():
        about = fact.about
        if isinstance(about, BadFile):
            yield fact, about, None
        elif isinstance(about, BadService) and about.file and is_own(about.name) and upper(about.name) in stops:
            yield fact, about.file, about


def _spare_of(windows: OperatingSystem, bad: BadFile) -> tuple[str, bytes] | None:
    """The path and the content of a whole copy for the same machine; None where there is none."""
    name = next((end for end in SPARES if upper(f"\\{bad.path}").endswith(f"\\{end}")), None)
    if name is None or not _folder_is_there(bad):
        return None
    path = f"{windows.root}\\{SPARES[name]}"
    program = name not in NO_PROGRAMS
    machine = machine_of_windows(windows.volume, windows.root) if program else None
    if (program and machine is None) or fault_of_file(windows.volume, path, program, machine):
        return None
    try:
        return path, _content(windows.volume, path)
    except (FormatError, NotFoundError, UnsupportedError, UsageError):
        return None


def _folder_is_there(bad: BadFile) -> bool:
    """Else it is not the file alone that is missing."""
    return bad.volume.has_folder(bad.path.rpartition("\\")[0])


def _content(volume: Volume, path: str) -> bytes:
    return whole(volume.files.open(path), path, LARGEST)
