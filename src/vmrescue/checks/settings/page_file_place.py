"""Where the page file belongs: the user says it, or else the disk; otherwise it is unknown.

In this order: the options; what each letter is by MountedDevices; the disk that the last boot used. Azure's temporary
disk of a size up to v5 is never in the image: a letter that means a disk with an MBR that is not at hand may be it,
or a data disk that was not given. That Azure's agent was here decides nothing: it is on sizes without a temporary
disk too. A disk with a GPT may be a data disk, one that the user made, or a temporary one of more than 2 TB (cloud-
init's bug 1686514).
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from vmrescue.checks.policy import ASK_THE_DISK, AZURES
from vmrescue.dataclass import dataclass
from vmrescue.errors import VmRescueError
from vmrescue.log import logger
from vmrescue.windows.drives import DriveKind
from vmrescue.windows.page_file import CONFIGURED, IN_USE, WINDOWS_CHOOSES, key_of, parse_all

if TYPE_CHECKING:
    from vmrescue.checks.policy import Policy
    from vmrescue.windows import Installation, OperatingSystem
    from vmrescue.windows.drives import Drive, Drives

LOG = logger("checks")
QUESTIONS = ("vm_size", "temp_drive")  # what decides, if a person says it
AGENT_KEYS = (r"Microsoft\GuestAgent", r"Microsoft\Windows Azure")  # of SOFTWARE
AGENT_FOLDER = "WindowsAzure"
SHOWN = 4  # drives in a sentence; the facts have all


@dataclass(frozen=True)
class Place:
    """Where the page file belongs.

    Attributes:
        drive: the letter (``"D:"``); None where nothing decides.
        because: why, or what keeps it from being known.
        certain: whether a change may rest on it. Where no temporary drive is known the page file is right on any disk.
        tell: the options that would decide.
    """

    drive: str | None
    because: str
    certain: bool
    tell: tuple[str, ...] = QUESTIONS


def place_of_page_file(installation: Installation, windows: OperatingSystem, policy: Policy) -> Place:
    """Where it belongs on this VM."""
    place = _decided(installation, windows, policy)
    LOG.info("the drive for the page file: %s, because %s", place.drive or "not known", place.because)
    return place


def _decided(installation: Installation, windows: OperatingSystem, policy: Policy) -> Place:
    drives = installation.drives
    if policy.temp_drive not in (None, ASK_THE_DISK):
        return _said(drives.of(str(policy.temp_drive)))
    if policy.has_temp_drive is False:
        return _on_windows(drives, policy)
    if policy.has_temp_drive:
        return _of_size(drives, _last_used(windows, drives), policy)
    return _by_evidence(windows, drives, _last_used(windows, drives))


def _said(drive: Drive) -> Place:
    if drive.kind is DriveKind.REMOVABLE:
        because = f"the VM's temporary drive was said to be {drive.letter}, which is {drive.said}"
        return Place(None, because, certain=False, tell=("temp_drive",))
    return Place(drive.letter, f"the VM's temporary drive was said to be {drive.letter}", certain=True, tell=())


def _on_windows(drives: Drives, policy: Policy) -> Place:
    said = f"a {policy.vm_size} has" if policy.temp_drive == ASK_THE_DISK else "the VM was said to have"
    because = f"{said} no temporary drive for it"
    if drives.windows is None:
        return Place(None, f"{because}, and the letter of Windows' own volume is not known", certain=False, tell=())
    return Place(drives.windows.letter, because, certain=True, tell=())


def _of_size(drives: Drives, used: list[Drive], policy: Policy) -> Place:
    """The size has a temporary drive: which letter is it?"""
    because = f"a {policy.vm_size} has a temporary drive for it"
    candidates, usual = _candidates(drives), drives.of(AZURES)
    if len(candidates) == 1 and (candidates == used or candidates == [usual]):
        [found] = candidates
        last = ", which the last boot used" if candidates == used else ""
        return Place(found.letter, f"{because}: {found.letter} is {found.kind}{last}", certain=True, tell=())
    if not candidates and usual.kind is DriveKind.NOTHING:
        return Place(AZURES, because, certain=True, tell=())
    which = _listed(candidates or [usual], used)
    return Place(None, f"{because}, but its letter is not known: {which}", certain=False, tell=("temp_drive",))


def _by_evidence(windows: OperatingSystem, drives: Drives, used: list[Drive]) -> Place:
    if not drives.known:
        return Place(None, "MountedDevices names no drive", certain=False)
    away, candidates = [drive for drive in drives.all if drive.is_away], _candidates(drives)
    if not away and drives.windows:
        because = "MountedDevices knows no disk that is not at hand: no temporary drive was ever seen"
        return Place(drives.windows.letter, because, certain=False)
    if len(candidates) == 1:
        [found] = candidates
        if used == candidates and (others := _beside(found, windows, drives)):
            because = f"{found.letter} is {found.said}, and was chosen together with {', '.join(others)}"
            return Place(None, because, certain=False)
        if used == candidates:
            return Place(found.letter, f"the last boot used {found.letter}, {found.kind}", certain=True)
        if not used and found.letter == AZURES and (trace := _azure(windows)):
            either = f"it is the temporary drive, or a data disk that was not given (Azure's agent left {trace})"
            because = f"{AZURES} is {found.said}: {either}"
            return Place(None, because, certain=False, tell=(*QUESTIONS, "data_disks"))
    return Place(None, f"no trace tells which drive is a temporary one: {_listed(away, used)}", certain=False)


def _beside(found: Drive, windows: OperatingSystem, drives: Drives) -> list[str]:
    """The other disks that are configured with a drive: somebody meant both, and that one may be a data disk."""
    others: list[str] = []
    for control_set in windows.bootable_control_sets:
        data = windows.system.data(key_of(control_set), CONFIGURED)
        lines = parse_all(data.data if data else None)
        configured = [drives.of(each.drive) for each in lines if each.drive != WINDOWS_CHOOSES]
        if found in configured:
            others += [each.letter for each in configured if each.is_disk and each != found]
    return list(dict.fromkeys(others))


def _candidates(drives: Drives) -> list[Drive]:
    """What may be Azure's temporary drive."""
    return [drive for drive in drives.all if drive.kind is DriveKind.MBR_DISK]


def _last_used(windows: OperatingSystem, drives: Drives) -> list[Drive]:
    """The disks, not at hand, on which the last boot had a page file."""
    found = windows.system.data(key_of(windows.current_control_set), IN_USE)
    letters = dict.fromkeys(place.drive for place in parse_all(found.data if found else None))
    return [drive for drive in map(drives.of, letters) if drive.is_away]


def _listed(drives: list[Drive], used: list[Drive]) -> str:
    last = f"; the last boot used {', '.join(drive.letter for drive in used[:SHOWN])}" if used else ""
    more = f"; {len(drives) - SHOWN} more" if len(drives) > SHOWN else ""
    return ("; ".join(f"{drive.letter} is {drive.said}" for drive in drives[:SHOWN]) or "there is none") + more + last


def _azure(windows: OperatingSystem) -> str | None:
    """The trace of Azure's guest agent on the disk, in words; None where there is none, or none can be read."""
    with suppress(VmRescueError):
        software = windows.software
        if key := next((key for key in AGENT_KEYS if software and software.key(key)), None):
            return f"SOFTWARE\\{key}"
    with suppress(VmRescueError):
        return f"\\{AGENT_FOLDER}" if windows.volume.has_folder(AGENT_FOLDER) else None
    return None
