r"""Session manager to logon: the other hives, the first processes, and what is to be done before anybody logs on.

Sources: Microsoft's support articles on Azure VMs that do not start; RepairAzVMDisk; Windows Internals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.errors import VmRescueError
from vmrescue.readers.file_system import link_above
from vmrescue.rehearsal import endings
from vmrescue.rehearsal.about import BadHive, BootPrograms
from vmrescue.rehearsal.files import FaultKind, fault_of_file
from vmrescue.rehearsal.loader import bad_hive, file_fact
from vmrescue.rehearsal.services import AUTOMATIC, CRITICAL, LOGGED, SEVERE
from vmrescue.rehearsal.stage import Fact, odd, stop, unknown
from vmrescue.units import counted
from vmrescue.windows.drives import DriveKind
from vmrescue.windows.programs import find_program
from vmrescue.windows.registry_file import RegistryFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.rehearsal.way import Way

HIVES = ("SOFTWARE", "SAM", "SECURITY", "DEFAULT")
PROCESSES = ("csrss.exe", "wininit.exe", "winlogon.exe", "services.exe", "lsass.exe")
SETUP_FLAGS = ("SystemSetupInProgress", "OOBEInProgress")
AUTOCHK = "autocheck autochk *"
FIRST = ("smss.exe", *PROCESSES)
IMAGE_OPTIONS = "Microsoft\\Windows NT\\CurrentVersion\\Image File Execution Options"
DIRECTORY = "Services\\NTDS\\Parameters"
DATABASE = ("DSA Database file", "Database log files path", "DSA Working Directory")
# Of Azure's agent and its backup: "Windows reboot loop on an Azure VM" sets their ErrorControl to 1.
OF_AZURE = ("RdAgent", "AzureWLBackupCoordinatorSvc", "AzureWLBackupInquirySvc", "AzureWLBackupPluginSvc")
WINLOGON = "Microsoft\\Windows NT\\CurrentVersion\\Winlogon"
OTHER_SHELLS = "AlternateShells\\AvailableShells"
SESSION_MANAGER = "Control\\Session Manager"
MOVES = "PendingFileRenameOperations"
WINDOWS = "Windows"  # the subsystem


def session(way: Way) -> Iterator[Fact]:
    """The stage's facts."""
    yield from _processes(way)
    for name in HIVES:
        yield _hive(way, name)
    yield from _setup(way)
    yield from _before_logon(way)
    yield from _logon(way)
    yield from _debuggers(way)
    yield from _letter(way)
    yield from _directory(way)
    yield from _critical_services(way)


def _processes(way: Way) -> Iterator[Fact]:
    for name, ending in {
        "ntdll.dll": endings.NO_NTDLL,
        "smss.exe": endings.NO_SMSS,
        **dict.fromkeys(PROCESSES, endings.NO_PROCESS),
    }.items():
        yield file_fact(way, f"{way.system32}\\{name}", (ending, ending, ending))


def _hive(way: Way, name: str) -> Fact:
    windows = way.windows
    path = f"{windows.config}\\{name}"
    if not windows.has(name):
        return stop(f"\\{path}", "it is not there", endings.NO_HIVE, BadHive(windows, name))
    try:
        hive = (windows.software if name == "SOFTWARE" else None) or RegistryFile(windows.volume, path, replay=False)
        if why := hive.why_cut():
            return bad_hive(windows, name, why, endings.NO_HIVE)
        _ = hive.root
    except VmRescueError as error:
        return bad_hive(windows, name, str(error), endings.NO_HIVE)
    return Fact(f"\\{path}", "it loads" + (f" ({hive.state})" if hive.state.dirty else ""))


def _setup(way: Way) -> Iterator[Fact]:
    system = way.windows.system
    kind, command = system.number("Setup", "SetupType"), system.text("Setup", "CmdLine") or ""
    if kind:
        yield odd("Setup\\SetupType", f"{kind}: {command or 'nothing'} runs before anybody can log on")
    for flag in SETUP_FLAGS:
        if system.number("Setup", flag):
            yield odd(f"Setup\\{flag}", "setup is not finished")


def _before_logon(way: Way) -> Iterator[Fact]:
    boot = way.multi(SESSION_MANAGER, "BootExecute")
    if boot != [AUTOCHK]:
        yield odd("BootExecute", f"{boot!r} instead of {AUTOCHK!r}", BootPrograms(way.control_set))
    if way.multi(SESSION_MANAGER, "SetupExecute"):
        yield odd("SetupExecute", "programs of setup run before anybody can log on")
    if moves := way.multi(SESSION_MANAGER, MOVES):
        yield odd(MOVES, f"{counted(len(moves), 'line')}: files are moved or deleted at the start")
    yield from _subsystems(way)
    if way.windows.volume.has_file(f"{way.windows.root}\\WinSxS\\pending.xml"):
        yield odd("pending.xml", "an update is to be finished, or undone, at the start")


def _subsystems(way: Way) -> Iterator[Fact]:
    """Whether csrss.exe is among what the session manager starts; every disk that starts has both values."""
    path = f"{way.control_set}\\{SESSION_MANAGER}\\SubSystems"
    if way.windows.system.key(path) is None:
        return
    if WINDOWS.lower() not in [name.lower() for name in way.multi(f"{SESSION_MANAGER}\\SubSystems", "Required")]:
        yield odd("SubSystems\\Required", f"it does not name {WINDOWS}: whether csrss.exe is started is not certain")
    command = way.windows.system.text(path, WINDOWS) or ""
    if "csrss.exe" not in command.lower():
        yield odd(f"SubSystems\\{WINDOWS}", f"{command or 'nothing'} instead of csrss.exe")


def _has_other_shells(way: Way, software: RegistryFile) -> bool:
    """Whether another shell is there, among which Server Core chooses since 2012: it has no explorer.exe."""
    key = software.key(f"{WINLOGON}\\{OTHER_SHELLS}")
    commands = [data.data for data in key.values().values()] if key else []
    drives, windows = way.installation.drives, way.windows
    return any(find_program(drives, windows, each).place for each in commands if isinstance(each, str))


def _logon(way: Way) -> Iterator[Fact]:
    software = way.windows.software
    if software is None:
        return
    for value in ("Userinit", "Shell"):
        command = (software.text(WINLOGON, value) or "").split(",")[0].strip()
        if not command:
            yield odd(f"Winlogon\\{value}", "it is not set: nobody gets a desktop")
            continue
        found = find_program(way.installation.drives, way.windows, command)
        if value == "Shell" and found.place is None and _has_other_shells(way, software):
            continue
        if found.place is not None:
            if (fault := fault_of_file(*found.place)) is not None:
                state = unknown if fault.kind is FaultKind.UNKNOWN else odd
                yield state(f"Winlogon\\{value}", f"{command}: {fault.said}")
        elif found.gone:
            yield odd(f"Winlogon\\{value}", f"{command}: it is not there")
        else:
            yield unknown(f"Winlogon\\{value}", f"{command}: where that lies is not known")


def _debuggers(way: Way) -> Iterator[Fact]:
    """Programs that are started in the place of Windows' first ones. Microsoft, "Image File Execution Options"."""
    software = way.windows.software
    for name in FIRST if software else ():
        command = software.text(f"{IMAGE_OPTIONS}\\{name}", "Debugger") if software else None
        if command:
            yield odd(f"Debugger of {name}", f"{command} is started in its place")


def _letter(way: Way) -> Iterator[Fact]:
    """Whether the volume of Windows has the letter by which its registry calls it; a copied disk may get another.

    Source: Microsoft, KB 947288: another letter than at setup, and only a black screen and a pointer are seen.
    """
    drives, meant = way.installation.drives, way.windows.system_drive
    if drives.windows_letter and meant and drives.of(meant).kind is not DriveKind.WINDOWS:
        said = (
            f"MountedDevices gives {drives.windows_letter} to the volume of Windows, which its registry calls {meant}"
        )
        yield odd("drive letters", f"{said}: logons may fail")


def _directory(way: Way) -> Iterator[Fact]:
    """Of a domain controller: whether the drives of its database are there (0xC00002E1, 0xC00002E2)."""
    for value in DATABASE:
        path = way.windows.system.text(f"{way.control_set}\\{DIRECTORY}", value)
        drive, rest = way.installation.drives.of_path(path or "") or (None, "")
        if drive is None:
            continue
        if drive.volume is None:
            yield unknown(f"NTDS: {value}", f"{path}: {drive.said}")
        elif drive.volume.files.nature(rest) is None and not link_above(drive.volume.files, rest):
            yield odd(f"NTDS: {value}", f"{path} is not there: a domain controller stops without it")


def _critical_services(way: Way) -> Iterator[Fact]:
    """Services of Azure for which Windows restarts where they cannot be started."""
    for name in OF_AZURE:
        service = way.services.find(name)
        if service is not None and service.error_control in (SEVERE, CRITICAL) and service.start == AUTOMATIC:
            said = f"ErrorControl is {service.error_control}: where it cannot be started, Windows restarts"
            yield odd(f"service {service.name}", f"{said}, again and again; Microsoft sets it to {LOGGED}")
