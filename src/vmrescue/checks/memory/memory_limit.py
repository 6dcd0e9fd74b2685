"""memory-limit: an element of the boot store makes Windows use less RAM than the VM has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.checks.boot.boot_elements import delete_element, element_fact, element_of, text_of
from vmrescue.checks.check import check
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.finding import Finding
    from vmrescue.checks.subject import Subject

# Microsoft, BcdLibraryElementTypes and BcdOSLoaderElementTypes
LIMITS = {
    0x15000007: "memory above this physical address is not used",
    0x1500000D: "physical memory is relocated to this address",
    0x1500000E: "memory below this physical address is not used",
    0x25000031: "this many megabytes of memory are not used",
}
NONE_BY_ZERO = (0x1500000D, 0x1500000E, 0x25000031)  # of which zero withholds nothing


@check(
    "memory-limit",
    family="memory",
    severity="warning",
    title="an element of the boot store withholds memory at boot",
    meaning="Windows may boot with less memory than the VM has. This is a setting for tests: if nobody needs it, it "
    "can go.",
    fires="an object has truncatememory, or relocatephysical, avoidlowmemory or removememory that is not zero",
    repair="delete the element",
    source="Microsoft, BcdLibraryElementTypes and BcdOSLoaderElementTypes: 0x15000007, 0x1500000D, 0x1500000E, "
    "0x25000031",
    step=RunbookStep.BAD_MEMORY,
    needs=(Part.BOOT_STORE,),
    applicability="on_request",
)
def memory_limit(subject: Subject) -> Iterator[Finding]:
    for entry in subject.boot.store.objects():
        for number, effect in LIMITS.items():
            element = entry.element(number)
            if element is None or (number in NONE_BY_ZERO and element.sound_value == 0):
                continue
            yield memory_limit.finding(
                f"{entry.identifier} sets {element.name} to {text_of(element)}: {effect}",
                facts=(element_fact(entry, element),),
                changes=delete_element(subject.boot, element),
                about=(element_of(element.object.guid, element.id),),
            )
