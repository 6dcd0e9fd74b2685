r"""page-file: the page file in use or configured is not where the policy puts it.

Azure's default is the temporary drive. `PagingFiles` says where the next boot will make it, `ExistingPageFiles` where
the last boot had it. A page file on another drive takes room there, and is out of reach when that drive is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vmrescue.checks.check import check
from vmrescue.checks.facts import FileFact, Places, Setting
from vmrescue.checks.steps import Step
from vmrescue.checks.subject import Part
from vmrescue.errors import FormatError, UnsupportedError, UsageError
from vmrescue.plan import DeleteFile, FileRef, RegistryData, SetValue
from vmrescue.volume.state import Allows
from vmrescue.windows.page_file import MEMORY_MANAGEMENT, MOST, PageFile, different, parse_all, why_no_page_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.finding import Finding
    from vmrescue.checks.policy import Policy
    from vmrescue.checks.subject import Subject
    from vmrescue.windows import Installation, OperatingSystem

WINDOWS_CHOOSES = "?:"


@dataclass(frozen=True)
class Stray:
    """A page file of the last boot that is not in its place.

    `size` is None where there is no such file, `ref` where its volume is not at hand. `number` tells a volume's files
    apart; `why_not` says why the file stays: its volume's log has to be replayed first, or it is no page file.
    """

    place: PageFile
    ref: FileRef | None
    size: int | None
    number: int = 0
    why_not: str | None = None


@check(
    "page-file",
    family="settings",
    severity="warning",
    title="the page file in use or configured is not where the policy puts it",
    meaning="Windows may not reach its page file at boot, or it fills the OS disk; on Azure it belongs on the "
    "temporary drive where the VM size has one that can hold it.",
    fires="PagingFiles puts the page file on another drive than the policy, or ExistingPageFiles says that the last "
    "boot had it there and the file is still there, or its volume is not at hand",
    repair="configure its place; delete the stray file, if it is a page file by its name and kind",
    source='Microsoft, "Windows stop error: Status no memory": page file; '
    "Control\\Session Manager\\Memory Management, PagingFiles and ExistingPageFiles",
    step=Step.PAGE_FILE,
    needs=(Part.WINDOWS,),
)
def page_file(subject: Subject) -> Iterator[Finding]:
    yield from _configured(subject.windows, subject.policy)
    yield from _in_use(subject.installation, subject.windows, subject.policy)


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
    yield page_file.finding(
        f"the page file is configured on {shown}, not on {policy.page_file_drive} ({policy.page_file_reason})",
        facts=(Setting(windows.system.path, key, "PagingFiles", found, wanted),),
        changes=(SetValue(windows.system.ref, key, "PagingFiles", found, wanted),),
        tell=_unnamed(policy),
    )


def _unnamed(policy: Policy) -> list[str]:
    """The VM's size, where the temporary drive is only taken for granted."""
    return [] if policy.vm_size or policy.temp_drive is None else ["vm_size"]


def _in_use(installation: Installation, windows: OperatingSystem, policy: Policy) -> Iterator[Finding]:
    key = f"{windows.current_control_set}\\{MEMORY_MANAGEMENT}"
    found = windows.system.data(key, "ExistingPageFiles")
    named = different(parse_all(found.data if found else None))
    configured = configured_places(windows)
    strays = [_look_for(place, installation, configured) for place in named[:MOST] if not _in_place(place, policy)]
    for stray in _each_once(strays):
        if stray.ref is not None and stray.size is None:
            continue  # its volume is at hand and holds no such file: the value is only a memory of the last boot
        yield _stray_finding(stray, windows, key, found, policy)
    if len(named) > MOST:
        yield _too_many(windows, key, len(named))


def configured_places(windows: OperatingSystem) -> list[PageFile]:
    """Where `PagingFiles` puts page files: as many as Windows has at once."""
    found = windows.system.data(f"{windows.current_control_set}\\{MEMORY_MANAGEMENT}", "PagingFiles")
    return different(parse_all(found.data if found else None))[:MOST]


def _each_once(strays: list[Stray]) -> list[Stray]:
    """A file that is named in two ways, by a short form perhaps, is one: named so that it can go, if it can at all."""
    found: dict[object, Stray] = {}
    for stray in sorted(strays, key=lambda stray: stray.why_not is not None):
        place = (stray.ref.disk, stray.ref.partition, stray.number) if stray.ref and stray.number else stray.place
        found.setdefault(place, stray)
    return [stray for stray in strays if any(stray is kept for kept in found.values())]


def _look_for(place: PageFile, installation: Installation, configured: list[PageFile]) -> Stray:
    volume = installation.letters.get(place.drive)
    if volume is None or not volume.readable:
        return Stray(place, None, None)
    ref = FileRef(volume.disk_index, volume.partition.number, place.path)
    try:
        nature = volume.files.nature(place.path)
        if nature is None:
            return Stray(place, ref, None)
        # By its own name: what the value says may be the short form of any other.
        ref = replace(ref, path=volume.files.spelled(place.path))
        paths = [each.path for each in configured if each.drive == place.drive]
        why_not = why_no_page_file(volume.files, ref.path, paths)
        if why_not:
            why_not = f"It is not deleted, because it is not taken for a page file: {why_not}."
        elif volume.state.allows is Allows.CONTENT:
            why_not = "It can go once the volume's log is replayed."
        return Stray(place, ref, nature.size, nature.number, why_not)
    except UsageError as error:  # names that differ only in case
        return Stray(place, ref, 0, why_not=f"It is not deleted: {error}.")
    except (FormatError, UnsupportedError):  # a damaged volume, which is a finding of its own
        return Stray(place, None, None)


def _stray_finding(
    stray: Stray, windows: OperatingSystem, key: str, found: RegistryData | None, policy: Policy
) -> Finding:
    at_hand = stray.ref is not None and stray.size is not None
    deleted = [DeleteFile(stray.ref, stray.size)] if stray.ref and stray.size is not None and not stray.why_not else []
    where = f"of {(stray.size or 0) >> 20} MB is there" if at_hand else "is on a volume that is not at hand, or damaged"
    return page_file.finding(
        f"the last boot used {stray.place}, not {policy.page_file_drive}; the file {where} ({policy.page_file_reason})",
        severity=None if at_hand else "advice",
        meaning=f"{page_file.meaning} {stray.why_not}" if stray.why_not else None,
        facts=(
            Setting(windows.system.path, key, "ExistingPageFiles", found, policy.page_file_drive),
            FileFact(str(stray.place), stray.size, stray.why_not),
        ),
        changes=deleted,
        tell=[*_unnamed(policy), *([] if at_hand else ["data_disks"])],
    )


def _too_many(windows: OperatingSystem, key: str, count: int) -> Finding:
    return page_file.finding(
        f"ExistingPageFiles names {count} page files; Windows has {MOST} at most, and so many were looked at",
        severity="advice",
        meaning="Windows did not write such a value; what else it names was not looked for.",
        facts=(Places(windows.system.path, key, "ExistingPageFiles", count),),
    )
