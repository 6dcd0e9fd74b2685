"""boot-options: Windows starts in safe mode, for a debugger, or with test signing, as somebody once asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vmrescue.checks.boot.boot_elements import delete_element, element_fact, text_of
from vmrescue.checks.check import check
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part
from vmrescue.rehearsal.about import LeftOn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.finding import Finding, Severity
    from vmrescue.checks.subject import Subject


class _Option(NamedTuple):
    """What an element does, and how bad that is; some are so with any value, all others where they are on."""

    effect: str
    severity: Severity
    any_value: bool = False


IMC = "the loader takes a hive of Initial Machine Configuration; where the registry knows nothing of it, 0x67"
# Microsoft, BcdOSLoaderElementTypes and BcdLibraryElementTypes; of Initial Machine Configuration, RepairAzVMDisk
OPTIONS = {
    0x25000080: _Option("Windows starts in safe mode, where nobody can log on by Remote Desktop", "warning", True),
    0x26000081: _Option("safe mode starts a command prompt instead of the desktop", "advice"),
    0x260000A0: _Option("the kernel waits for a debugger where it stops", "advice"),
    0x16000010: _Option("the loader waits for a debugger", "warning"),
    0x26000090: _Option("each driver is written to a log at the start", "advice"),
    0x16000049: _Option("drivers with a test signature are loaded", "advice"),
    0x16000048: _Option("the signatures of drivers are not looked at", "advice"),
    0x21000138: _Option(IMC, "advice", True),
    0x22000137: _Option(IMC, "advice", True),
}


@check(
    "boot-options",
    family="boot",
    severity="warning",
    title="the loader has options that were meant for one start, or for tests",
    meaning="Windows starts in another way than usual. If nobody needs the option any more, it can go.",
    fires="the default loader has safeboot, safebootalternateshell, debug, bootdebug, bootlog, testsigning, "
    "nointegritychecks, imcdevice or imchivename",
    repair="delete the element",
    source="Microsoft, learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-rdp-safe-mode; "
    "BcdOSLoaderElementTypes; of imcdevice and imchivename RepairAzVMDisk",
    step=RunbookStep.REPAIR_VM,
    needs=(Part.BOOT_STORE,),
    applicability="on_request",
)
def boot_options(subject: Subject) -> Iterator[Finding]:
    loader = subject.boot.windows_loader
    for number, option in OPTIONS.items() if loader else ():
        element = loader.element(number) if loader else None
        if loader is None or element is None or not (option.any_value or element.sound_value is True):
            continue
        yield boot_options.finding(
            f"{loader.identifier} has {element.name} {text_of(element)}: {option.effect}",
            severity=option.severity,
            facts=(element_fact(loader, element),),
            changes=delete_element(subject.boot, element),
            about=() if subject.other else subject.told_of(LeftOn(number)),
        )
