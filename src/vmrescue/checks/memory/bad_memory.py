"""bad-memory: an object of the boot store lists page frames as bad, and Windows does not use that RAM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.checks.boot.boot_elements import delete_element, element_fact, element_of
from vmrescue.checks.check import check
from vmrescue.checks.facts import Content, PageFrames
from vmrescue.checks.steps import RunbookStep
from vmrescue.checks.subject import Part
from vmrescue.digests import sha256
from vmrescue.units import counted, size_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.bcd import BcdObject, Element
    from vmrescue.checks.finding import Finding
    from vmrescue.checks.subject import Subject

BAD_MEMORY_LIST = 0x1700000A  # BcdLibraryIntegerList_BadMemoryList: each entry is a page frame number
PAGE = 4096  # bytes of RAM in a page frame
SHOWN_FRAMES = 256  # of a long list


@check(
    "bad-memory",
    family="memory",
    severity="critical",
    title="an object of the boot store holds a bad memory list",
    meaning="The boot manager may not find memory for its ramdisk and stops with 0xC0000017, although a VM's memory "
    "does not wear out: the list is stale and can go.",
    fires="an object has the element badmemorylist with at least one page frame, or with data that is no list of them",
    repair="delete the element",
    source='Microsoft, "Windows stop error - Status No Memory"; BcdLibraryElementTypes, '
    "BcdLibraryIntegerList_BadMemoryList (0x1700000A)",
    step=RunbookStep.BAD_MEMORY,
    needs=(Part.BOOT_STORE,),
)
def bad_memory(subject: Subject) -> Iterator[Finding]:
    for entry in subject.boot.store.objects():
        element = entry.element(BAD_MEMORY_LIST)
        if element is None:
            continue
        if element.fault:
            yield _unreadable(subject, entry, element)
            continue
        value = element.value
        frames = tuple(each for each in value if isinstance(each, int)) if isinstance(value, tuple) else ()
        if not frames:
            continue
        withheld = len(frames) * PAGE
        bad = counted(len(frames), "bad page frame")
        shown = PageFrames(frames[:SHOWN_FRAMES], len(frames), sha256([element.raw]), withheld)
        yield bad_memory.finding(
            f"{entry.identifier} lists {bad}: {size_text(withheld)} of RAM are withheld",
            facts=(element_fact(entry, element), shown),
            changes=delete_element(subject.boot, element),
            about=(element_of(element.object.guid, element.id),),
        )


def _unreadable(subject: Subject, entry: BcdObject, element: Element) -> Finding:
    return bad_memory.finding(
        f"{entry.identifier} has a list of bad memory that is none: {element.fault}",
        meaning="What the boot manager makes of it nobody knows: it may stop, or withhold any RAM. A VM's memory "
        "does not wear out, so the list can go.",
        facts=(element_fact(entry, element), Content(len(element.raw))),
        changes=delete_element(subject.boot, element),
        about=(element_of(element.object.guid, element.id),),
    )
