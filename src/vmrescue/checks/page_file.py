r"""page-file: the page file in use or configured is not where the policy puts it.

Azure's default is the temporary drive. `PagingFiles` says where the next boot will make it, `ExistingPageFiles` where
the last boot had it. A page file on another drive takes room there, and is out of reach when that drive is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vmrescue.checks import steps
from vmrescue.checks.finding import Finding
from vmrescue.errors import FormatError, UnsupportedError
from vmrescue.plan import DeleteFile, FileRef, RegistryData, SetValue
from vmrescue.windows.page_file import MEMORY_MANAGEMENT, PageFile, parse_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.policy import Policy
    from vmrescue.plan import Change
    from vmrescue.windows import Installation, OperatingSystem

ID = "page-file"
WINDOWS_CHOOSES = "?:"
MEANING = (
    "Windows may not reach its page file at boot, or it fills the OS disk; on Azure it belongs on the temporary drive "
    "where the VM size has one that can hold it."
)


@dataclass(frozen=True)
class Stray:
    """A page file of the last boot that is not in its place.

    `size` is None where there is no such file, `ref` where its volume is not at hand. `deletable` is False while the
    volume's log has to be replayed first.
    """

    place: PageFile
    ref: FileRef | None
    size: int | None
    deletable: bool = True


def check(installation: Installation, policy: Policy) -> Iterator[Finding]:
    if installation.os is None:
        return
    yield from _configured(installation.os, policy)
    yield from _in_use(installation, installation.os, policy)


def _in_place(place: PageFile, policy: Policy) -> bool:
    if place.drive == WINDOWS_CHOOSES:  # Windows puts it on its own volume
        return policy.temp_drive is None
    return place.drive == policy.page_file_drive


def _configured(windows: OperatingSystem, policy: Policy) -> Iterator[Finding]:
    key = f"{windows.current_control_set}\\{MEMORY_MANAGEMENT}"
    found = windows.system.data(key, "PagingFiles")
    places = parse_all(found.data if found else None)
    if places and all(_in_place(place, policy) for place in places):
        return
    wanted = RegistryData.multi_sz([policy.page_file])
    shown = ", ".join(map(str, places)) or "nowhere"
    yield Finding(
        check=ID,
        severity="warning",
        summary=f"the page file is configured on {shown}, not on {policy.page_file_drive} ({policy.page_file_reason})",
        meaning=MEANING,
        step=steps.PAGE_FILE,
        evidence={
            "hive": windows.system.path,
            "key": key,
            "value": "PagingFiles",
            "found": found.to_dict() if found else None,
            "wanted": wanted.to_dict(),
        },
        changes=(SetValue(windows.system.ref, key, "PagingFiles", found, wanted),),
    )


def _in_use(installation: Installation, windows: OperatingSystem, policy: Policy) -> Iterator[Finding]:
    key = f"{windows.current_control_set}\\{MEMORY_MANAGEMENT}"
    found = windows.system.data(key, "ExistingPageFiles")
    places = [place for place in parse_all(found.data if found else None) if not _in_place(place, policy)]
    for stray in (_look_for(place, installation) for place in places):
        if stray.ref is not None and stray.size is None:
            continue  # its volume is at hand and holds no such file: the value is only a memory of the last boot
        yield _stray_finding(stray, windows, key, found, policy)


def _look_for(place: PageFile, installation: Installation) -> Stray:
    volume = installation.letters.get(place.drive)
    if volume is None or not volume.readable:
        return Stray(place, None, None)
    ref = FileRef(volume.disk_index, volume.partition.number, place.path)
    try:
        pending = volume.state.name == "log pending"
        return Stray(place, ref, volume.files.size_of(place.path), deletable=not pending)
    except (FormatError, UnsupportedError):  # a damaged volume, which is a finding of its own
        return Stray(place, None, None)


def _stray_finding(
    stray: Stray, windows: OperatingSystem, key: str, found: RegistryData | None, policy: Policy
) -> Finding:
    at_hand = stray.ref is not None and stray.size is not None
    evidence: dict[str, Any] = {
        "hive": windows.system.path,
        "key": key,
        "value": "ExistingPageFiles",
        "found": found.to_dict() if found else None,
        "wanted": policy.page_file_drive,
        "file": str(stray.place),
        "bytes": stray.size,
    }
    changes: tuple[Change, ...] = ()
    if stray.ref is not None and stray.size is not None and stray.deletable:
        changes = (DeleteFile(stray.ref, stray.size),)
    where = (
        f"of {(stray.size or 0) >> 20} MB is there"
        if at_hand
        else "is on a volume that is not at hand (--data-disk), or damaged"
    )
    return Finding(
        check=ID,
        severity="warning" if at_hand else "advice",
        summary=f"the last boot used {stray.place}, not {policy.page_file_drive}; the file {where} "
        f"({policy.page_file_reason})",
        meaning=MEANING if stray.deletable else f"{MEANING} It can go once the volume's log is replayed.",
        step=steps.PAGE_FILE,
        evidence=evidence,
        changes=changes,
    )
