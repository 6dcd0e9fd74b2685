r"""crash-dump: a control set does not ask for a complete memory dump, which support needs to find the next cause.

Wanted in ``ControlSetNNN\Control\CrashControl``: CrashDumpEnabled 1 without FilterPages (with FilterPages 1 it is an
active dump), a DumpFile on a disk that is there and has room, no DedicatedDumpFile on one that is not, NMICrashDump 1.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from vmrescue.checks.check import check
from vmrescue.checks.fact import Difference
from vmrescue.checks.facts import DumpSpace, KeySettings, Letters
from vmrescue.checks.policy import Policy
from vmrescue.checks.settings.registry_values import settings_of
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part
from vmrescue.errors import VmRescueError
from vmrescue.plan import DeleteValue, RegistryData
from vmrescue.registry.value_type import ValueType
from vmrescue.units import size_text
from vmrescue.windows.drives import DriveKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.finding import Finding
    from vmrescue.checks.subject import Subject
    from vmrescue.windows import Volume
    from vmrescue.windows.drives import Drive

CRASH_CONTROL = r"Control\CrashControl"
NO_RAM = "the VM's RAM is not known: that the dump fits was not checked"
ONE = RegistryData.dword(1)


@check(
    "crash-dump",
    family="settings",
    severity="advice",
    title="a control set does not ask for a complete dump, with its file and NMI",
    meaning="If the VM stops again there will be no complete memory dump to learn from.",
    fires="in a control set CrashDumpEnabled is not 1, or FilterPages makes an active dump of it; DumpFile is neither "
    "the policy's nor on a volume at hand, DedicatedDumpFile is on a drive that is not there, or NMICrashDump is not "
    "1; or the dump does not fit on its volume",
    repair="set the three values in every control set, and delete FilterPages and such a DedicatedDumpFile. Nothing "
    "is changed if the dump would not fit on its volume",
    source='Microsoft, "Windows stop error - Status No Memory", Control\\CrashControl; "Overview of memory dump file '
    'options for Windows" (CrashDumpEnabled); "Active Memory Dump" (the value FilterPages is what Windows\' own dialog '
    'writes for it); "How to use the DedicatedDumpFile registry value to overcome space limitations on the system '
    'drive when capturing a system memory dump"',
    step=RunbookStep.SERIAL_AND_DUMP,
    needs=(Part.WINDOWS,),
)
def crash_dump(subject: Subject) -> Iterator[Finding]:
    for control_set in subject.windows.control_sets:
        if finding := _ControlSet(subject, f"{control_set}\\{CRASH_CONTROL}").finding():
            yield finding


class _ControlSet:
    """What a control set says of dumps, and what is wanted in it."""

    def __init__(self, subject: Subject, key: str) -> None:
        self.hive, self.key, self.policy = subject.windows.system, key, subject.policy
        self.windows_volume = subject.windows.volume
        self.drives = subject.installation.drives
        self.found = self.hive.data(key, "DumpFile")
        self.keeps = self._is_kept()
        self.file = str(self.found.data) if self.keeps and self.found else self.policy.dump_file

    def _is_kept(self) -> bool:
        """Whether DumpFile stays as it is: the policy's; or on a volume at hand, where no other was asked for."""
        if self.found is None or not isinstance(self.found.data, str):
            return False
        if "%" in self.found.data and self.found.type != ValueType.EXPAND_SZ:
            return False
        if self.found.data.upper() == self.policy.dump_file.upper():
            return True
        drive = self._drive_of(self.found)
        return self.policy.dump_file == Policy.dump_file and drive is not None and drive.volume is not None

    def _drive_of(self, data: RegistryData | None) -> Drive | None:
        place = self.drives.of_path(data.data) if data and isinstance(data.data, str) else None
        return place[0] if place else None

    def finding(self) -> Finding | None:
        differences = self._differences()
        place = self.drives.of_path(self.file)
        room = self.why_no_room(*place) if place else None
        room = room or self._why_no_room_for_dedicated()
        if not differences and not room:
            return None
        volume = place[0].volume if place and place[0].volume else self.windows_volume
        note = room or (NO_RAM if self.policy.ram is None else None)
        if place and not note and place[0].volume is None:
            note = f"{place[0].letter} is {place[0].said}: that the dump fits was not checked"
        wanted = {each.name: each.wanted for each in differences if each.wanted is not None}
        changes = [
            *settings_of(self.hive, self.key, [each for each in differences if each.wanted is not None], wanted),
            *(DeleteValue(self.hive.ref, self.key, each.name, each.found) for each in differences
              if each.wanted is None and each.found is not None),
        ]  # fmt: skip
        said = "; ".join(filter(None, (*self._odd_drives(), room)))
        return crash_dump.finding(
            self._title(differences) + (f"; {said}" if said else ""),
            facts=(
                KeySettings(self.hive.path, self.key, tuple(differences)),
                DumpSpace(_free(volume), self.policy.ram, note),
                *([Letters({drive.letter: drive.said for drive in self.drives.all})] if self._odd_drives() else []),
            ),
            changes=() if room else changes,
            tell=["dump_file"] if room else ["ram"] if self.policy.ram is None else [],
        )

    def _title(self, differences: list[Difference]) -> str:
        if not differences:
            return f"{self.key} asks for a complete dump, for which there is no room"
        names = [each.name for each in differences]
        asks = not {"CrashDumpEnabled", "FilterPages"} & set(names)
        said = "asks for a complete dump, but not as it is wanted" if asks else "does not ask for a complete dump"
        return f"{self.key} {said} ({', '.join(names)})"

    def _differences(self) -> list[Difference]:
        """What is not as it is wanted; wanted is None where the value is to go."""
        found = {name: self.hive.data(self.key, name) for name in ("CrashDumpEnabled", "FilterPages", "NMICrashDump")}
        dedicated = self.hive.data(self.key, "DedicatedDumpFile")
        differences = []
        if found["CrashDumpEnabled"] != ONE:
            differences.append(Difference("CrashDumpEnabled", found["CrashDumpEnabled"], ONE))
        if found["FilterPages"] == ONE:
            differences.append(Difference("FilterPages", found["FilterPages"], None))
        if not self.keeps:
            differences.append(Difference("DumpFile", self.found, RegistryData.expand_sz(self.policy.dump_file)))
        if self._is_not_there(self._drive_of(dedicated)):
            differences.append(Difference("DedicatedDumpFile", dedicated, None))
        if found["NMICrashDump"] != ONE:
            differences.append(Difference("NMICrashDump", found["NMICrashDump"], ONE))
        return differences

    def _is_not_there(self, drive: Drive | None) -> bool:
        """Whether a drive is none that holds a dump, as far as MountedDevices knows."""
        return drive is not None and self.drives.known and drive.kind in (DriveKind.REMOVABLE, DriveKind.NOTHING)

    def _odd_drives(self) -> list[str]:
        """What the values name that is not there."""
        values = {name: self.hive.data(self.key, name) for name in ("DumpFile", "DedicatedDumpFile")}
        drives = {name: self._drive_of(data) for name, data in values.items()}
        return [
            f"{name} is on {drive.letter}, {drive.said}"
            for name, drive in drives.items()
            if drive and self._is_not_there(drive)
        ]

    def _why_no_room_for_dedicated(self) -> str | None:
        """The same of the file that a dump is first written to, where one is set on a volume at hand."""
        data = self.hive.data(self.key, "DedicatedDumpFile")
        place = self.drives.of_path(data.data) if data and isinstance(data.data, str) else None
        why = self.why_no_room(*place) if place and place[0].volume else None
        return f"DedicatedDumpFile: {why}" if why else None

    def why_no_room(self, drive: Drive, path: str) -> str | None:
        """Why a complete dump would not fit where it is to go; None where it would, or where that is not known."""
        ram = self.policy.ram
        if drive.kind is DriveKind.REMOVABLE:
            return f"a dump cannot be written to {drive.letter}, {drive.said}"
        free = _free(drive.volume) if drive.volume else None
        if ram is None or drive.volume is None or free is None:
            return None
        with suppress(VmRescueError):  # the dump of the last time gives its place to the next
            free += drive.volume.files.size_of(path) or 0
        if free > ram:
            return None
        where = "the OS volume" if drive.kind is DriveKind.WINDOWS else f"{drive.letter}, {drive.said},"
        return (
            f"a complete dump needs more than the VM's {size_text(ram)} of RAM, and {where} has "
            f"{size_text(free)} free{_of_all(drive.volume, ram)}: have it written to another disk, "
            "to F:\\MEMORY.DMP for example"
        )


def _free(volume: Volume) -> int | None:
    """The bytes that are free on a volume; None where it cannot be read."""
    with suppress(VmRescueError):
        return volume.files.free_bytes
    return None


def _of_all(volume: Volume, ram: int) -> str:
    total = volume.files.total_bytes
    return f" (it is smaller than the dump: {size_text(total)} in all)" if total <= ram else ""
