r"""page-file: the page file in use or configured is not where it belongs (`page_file_place`).

`PagingFiles` says where the next boot will make it, `ExistingPageFiles` where the last boot had it. A page file on
another drive takes room there, and is out of reach when that drive is. Every control set is judged that may boot next.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from vmrescue.checks.check import check
from vmrescue.checks.facts import FileFact, Letters, PageFilePlace, Places, Setting
from vmrescue.checks.policy import ASK_THE_DISK, page_file_line
from vmrescue.checks.settings.page_file_place import QUESTIONS, place_of_page_file
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part
from vmrescue.dataclass import dataclass
from vmrescue.errors import FormatError, UnsupportedError, UsageError
from vmrescue.plan import DeleteFile, FileRef, RegistryData, SetValue
from vmrescue.units import size_text
from vmrescue.volume.state import Allows
from vmrescue.windows.drives import DriveKind
from vmrescue.windows.page_file import (
    CONFIGURED,
    IN_USE,
    MOST,
    WINDOWS_CHOOSES,
    PageFile,
    different,
    key_of,
    named_by,
    parse_all,
    why_no_page_file,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.fact import Fact
    from vmrescue.checks.finding import Finding
    from vmrescue.checks.settings.page_file_place import Place
    from vmrescue.checks.subject import Subject
    from vmrescue.plan import RegistryData as Data
    from vmrescue.windows import Installation, OperatingSystem
    from vmrescue.windows.drives import Drive


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


NOT_KNOWN = "where it belongs: a question"


@check(
    "page-file",
    family="settings",
    severity="warning",
    title="the page file, in use or configured, is not where it belongs according to the disk or the user",
    meaning="Windows may not reach its page file at boot, or the page file fills the OS disk. On Azure it belongs "
    "on the temporary drive, if the VM size has one that can hold it.",
    fires="PagingFiles of a control set that may boot next puts the page file on a drive where it does not belong, "
    "or on one that is no disk; or ExistingPageFiles names a page file elsewhere that is still there, or whose "
    "volume is not at hand; or it is not known where the page file belongs. The options say where it belongs; if "
    "they do not, MountedDevices and the disk that the last boot used say it",
    repair="configure its place. Delete the stray file, if it is a page file by its name and kind. Nothing is "
    "changed if neither the disk nor an option says where it belongs",
    source='Microsoft, "Windows stop error - Status No Memory": page file; '
    "Control\\Session Manager\\Memory Management, PagingFiles and ExistingPageFiles; MountedDevices",
    step=RunbookStep.PAGE_FILE,
    needs=(Part.WINDOWS,),
)
def page_file(subject: Subject) -> Iterator[Finding]:
    look = _Look(subject)
    for control_set in subject.windows.bootable_control_sets:
        yield from look.configured(control_set)
    yield from look.in_use()
    yield from look.unknown_size()


class _Look:
    """What is looked at together: the place where the page file belongs, the drives, the control sets."""

    def __init__(self, subject: Subject) -> None:
        self.installation: Installation = subject.installation
        self.windows: OperatingSystem = subject.windows
        self.policy = subject.policy
        self.drives = self.installation.drives
        self.place: Place = place_of_page_file(self.installation, self.windows, self.policy)
        self.facts: tuple[Fact, ...] = (
            Letters({drive.letter: drive.said for drive in self.drives.all}),
            PageFilePlace(self.place.drive, self.place.because),
        )

    def configured(self, control_set: str) -> Iterator[Finding]:
        """What `PagingFiles` of a control set says, where that is wrong or a question."""
        key = key_of(control_set)
        found = self.windows.system.data(key, CONFIGURED)
        places = parse_all(found.data if found else None)
        shown = ", ".join(map(str, places)) or "nowhere"
        if not self.place.certain or self.place.drive is None:
            yield from self._questions(key, found, places, f"the page file is configured on {shown}", control_set)
        elif not places or not all(map(self._in_place, places)):
            wanted = RegistryData.multi_sz([page_file_line(self.place.drive)])
            alone = " alone" if any(map(self._in_place, places)) else ""
            yield page_file.finding(
                f"the page file is configured on {shown}, not on {self.place.drive}{alone}, in {control_set} "
                f"({self.place.because})",
                facts=(Setting(self.windows.system.path, key, CONFIGURED, found, wanted), *self.facts),
                changes=(SetValue(self.windows.system.ref, key, CONFIGURED, found, wanted),),
                tell=self.place.tell,
            )

    def _in_place(self, place: PageFile) -> bool:
        """Whether a page file lies where it belongs."""
        drives = self._chosen() if place.drive == WINDOWS_CHOOSES else [self.drives.of(place.drive)]
        return bool(drives) and all(drive.letter == self.place.drive for drive in drives)

    def _chosen(self) -> list[Drive]:
        """Where Windows puts the page file when it chooses: as at the last boot, or on its own volume."""
        found = self.windows.system.data(key_of(self.windows.current_control_set), IN_USE)
        used = [self.drives.of(place.drive) for place in parse_all(found.data if found else None)]
        return used or list(filter(None, [self.drives.windows]))

    def _questions(
        self, key: str, found: Data | None, places: list[PageFile], configured: str, control_set: str
    ) -> Iterator[Finding]:
        """Nothing is changed here: what is wrong all the same, and what is to be asked."""
        fact = Setting(self.windows.system.path, key, CONFIGURED, found, NOT_KNOWN)
        named = [self.drives.of(place.drive) for place in places if place.drive != WINDOWS_CHOOSES]
        wrong = [drive for drive in named if drive.kind in (DriveKind.REMOVABLE, DriveKind.NOTHING)]
        if not places or wrong:
            said = "; ".join(dict.fromkeys(f"{drive.letter} is {drive.said}" for drive in wrong)) or "there is none"
            yield page_file.finding(
                f"{configured} in {control_set}: {said}; where it belongs is to be said ({self.place.because})",
                severity="warning" if wrong and self.drives.known else "advice",
                facts=(fact, *self.facts),
                tell=self.place.tell or QUESTIONS,
            )
        elif self.place.drive is None and self._is_a_question(named):
            asked = (
                "whether the VM has a temporary drive for it"
                if self.policy.has_temp_drive is None
                else "where it belongs"
            )
            yield page_file.finding(
                f"{configured} in {control_set}; {asked} is not known ({self.place.because})",
                severity="advice",
                facts=(fact, *self.facts),
                tell=self.place.tell,
            )

    def _is_a_question(self, named: list[Drive]) -> bool:
        """Whether what was said decides nothing, or there may be a temporary drive that is not made use of."""
        if self.policy.temp_drive != ASK_THE_DISK:
            return True
        if named and all(drive.kind is DriveKind.MBR_DISK for drive in named):
            return False
        return bool(self.policy.has_temp_drive) or any(drive.kind is DriveKind.MBR_DISK for drive in self.drives.all)

    def in_use(self) -> Iterator[Finding]:
        """The page files of the last boot that are not where they belong, if that is known."""
        key = key_of(self.windows.current_control_set)
        found = self.windows.system.data(key, IN_USE)
        named = different(parse_all(found.data if found else None))
        if self.place.certain:
            configured = named_by(self.windows, CONFIGURED)[:MOST]
            strays = [self._look_for(place, configured) for place in named[:MOST] if not self._in_place(place)]
            for stray in _each_once(strays):
                if stray.ref is not None and stray.size is None:
                    continue  # its volume is at hand and holds no such file: the value is a memory of the last boot
                yield self._stray_finding(
                    stray, Setting(self.windows.system.path, key, IN_USE, found, self.place.drive)
                )
        if len(named) > MOST:
            yield self._too_many(key, len(named))

    def _look_for(self, place: PageFile, configured: list[PageFile]) -> Stray:
        volume = self.drives.of(place.drive).volume
        if volume is None or not volume.readable:
            return Stray(place, None, None)
        ref = FileRef(volume.disk_index, volume.partition.number, place.path)
        try:
            nature = volume.files.nature(place.path)
            if nature is None:
                return Stray(place, ref, None)
            # By its own name: what the value says may be the short form of any other.
            ref = replace(ref, path=volume.files.spelled(place.path))
            paths = [each.path for each in configured if self.drives.of(each.drive).volume is volume]
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

    def _stray_finding(self, stray: Stray, setting: Setting) -> Finding:
        size = stray.size if stray.ref else None
        where = "is on a volume that is not at hand, or damaged" if size is None else f"of {size_text(size)} is there"
        deleted = [DeleteFile(stray.ref, size)] if stray.ref and size is not None and not stray.why_not else []
        return page_file.finding(
            f"the last boot used {stray.place}, not {self.place.drive}; the file {where} ({self.place.because})",
            severity="advice" if size is None else None,
            meaning=f"{page_file.meaning} {stray.why_not}" if stray.why_not else None,
            facts=(setting, FileFact(str(stray.place), size, stray.why_not), *self.facts),
            changes=deleted,
            tell=[*self.place.tell, *(["data_disks"] if size is None else [])],
        )

    def _too_many(self, key: str, count: int) -> Finding:
        return page_file.finding(
            f"ExistingPageFiles names {count} page files; Windows has {MOST} at most, and so many were looked at",
            severity="advice",
            meaning="Windows did not write such a value; what else it names was not looked for.",
            facts=(Places(self.windows.system.path, key, IN_USE, count),),
        )

    def unknown_size(self) -> Iterator[Finding]:
        """The size that was named is in no table: that decides nothing."""
        if self.policy.vm_size and self.policy.has_temp_drive is None:
            yield page_file.finding(
                f"the size {self.policy.vm_size} is in none of the tables of Azure's sizes that are known here: "
                f"whether it has a temporary drive is not known ({self.place.because})",
                severity="advice",
                facts=self.facts,
                tell=("temp_drive",),
            )


def _each_once(strays: list[Stray]) -> list[Stray]:
    """A file that is named in two ways, by a short form perhaps, is one: named so that it can go, if it can at all."""
    found: dict[object, Stray] = {}
    for stray in sorted(strays, key=lambda stray: stray.why_not is not None):
        place = (stray.ref.disk, stray.ref.partition, stray.number) if stray.ref and stray.number else stray.place
        found.setdefault(place, stray)
    return [stray for stray in strays if any(stray is kept for kept in found.values())]
