"""boot-execute: the session manager is to run a program that is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue import file_path
from vmrescue.checks.check import check
from vmrescue.checks.facts import Setting
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part
from vmrescue.plan import RegistryData
from vmrescue.rehearsal.about import BootPrograms
from vmrescue.windows.hive_changes import set_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.finding import Finding
    from vmrescue.checks.subject import Subject
    from vmrescue.windows import OperatingSystem

SESSION_MANAGER, VALUE = "Control\\Session Manager", "BootExecute"
USUAL = "autocheck autochk *"
AUTOCHECK = "AUTOCHECK"  # a word before the program: its checks are shown


@check(
    "boot-execute",
    family="boot",
    severity="advice",
    title="BootExecute names a program that is not there",
    meaning="The session manager runs these programs before anybody can log on. A line whose program is gone is "
    "often left by a program that was not removed completely. A start has been seen to hang there.",
    fires="a line of BootExecute, in a control set that may boot, names a program that is not in System32",
    repair='take the line out. If no line is left, write "autocheck autochk *", as Windows has it',
    source='Microsoft, "Inside Native Applications"; the repair tool RepairAzVMDisk, which puts the usual line back',
    step=RunbookStep.REPAIR_VM,
    needs=(Part.WINDOWS,),
    applicability="on_request",
)
def boot_execute(subject: Subject) -> Iterator[Finding]:
    windows = subject.windows
    hive = windows.system
    for control_set in windows.bootable_control_sets:
        key = f"{control_set}\\{SESSION_MANAGER}"
        found = hive.data(key, VALUE)
        lines = found.data if found and isinstance(found.data, list) else []
        lost = [line for line in lines if _is_lost(windows, line)]
        if not lost:
            continue
        wanted = RegistryData.multi_sz([line for line in lines if line and line not in lost] or [USUAL])
        whole = not subject.other and all(line in (*lost, USUAL) for line in lines if line)  # nothing else is odd in it
        yield boot_execute.finding(
            f"{key}: {VALUE} runs {'; '.join(lost)}, which is not there",
            facts=(Setting(hive.path, key, VALUE, found, wanted),),
            changes=(set_value(hive, key, VALUE, wanted),) if wanted != found else (),
            about=subject.told_of(BootPrograms(control_set)) if whole else (),
        )


def _is_lost(windows: OperatingSystem, line: str) -> bool:
    """Whether a line names a program by a plain name which is not in System32."""
    words = line.split()
    if words and words[0].upper() == AUTOCHECK:
        words = words[1:]
    if not words or len(names := file_path.split(words[0])) != 1:
        return False  # where else a program lies is not known
    name = names[0] if "." in names[0] else f"{names[0]}.exe"
    return windows.volume.files.nature(f"{windows.root}\\System32\\{name}") is None
