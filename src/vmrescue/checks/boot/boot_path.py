"""boot-path: a start of this Windows ends before it runs (`rehearsal`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.checks.boot.boot_elements import element_of
from vmrescue.checks.boot.restoring import restoring
from vmrescue.checks.check import check
from vmrescue.checks.facts import StopFact
from vmrescue.checks.intents import PutIn, TakeOut
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part
from vmrescue.rehearsal.about import Withheld

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.finding import Finding
    from vmrescue.checks.subject import Subject


@check(
    "boot-path",
    family="boot",
    severity="critical",
    title="a start of Windows ends before it runs",
    meaning="The boot path was followed as firmware, boot manager, loader and kernel would follow it. It ends there.",
    fires="a stage of the boot path meets something that ends it: a file, an entry, a driver or a hive is missing "
    "or bad",
    repair="none of its own. Other checks mend what they can. For a file that is gone, the finding names the "
    "command that puts one in; for a boot manager that NTFS has compressed, the commands that make it plain",
    source="Microsoft's support articles on Azure VMs that do not start, each named where it applies",
    step=RunbookStep.REPAIR_VM,
    needs=(Part.VOLUMES,),
    applicability="advice",
    advises=(TakeOut, PutIn),
)
def boot_path(subject: Subject) -> Iterator[Finding]:
    stop = subject.rehearsal.stop
    if stop is not None and not subject.installation.is_nothing:
        fact = StopFact(stop.stage, stop.code or "none that is known", stop.screen, stop.reason, stop.source)
        ends = (each.about for each in subject.rehearsal.stage(stop.stage).facts if each.reason == stop.reason)
        what = next(ends, None)
        said, intents = restoring(what)
        withheld = what if isinstance(what, Withheld) else Withheld(())
        elements = tuple(element_of(*each) for each in withheld.elements)
        yield boot_path.finding(
            str(stop),
            facts=(fact,),
            meaning=f"{boot_path.meaning} {said}" if said else None,
            intents=intents,
            about=(stop.reason, *(() if withheld.together else elements)),
            parts=elements if withheld.together else (),
        )
