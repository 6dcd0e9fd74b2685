"""bad-memory: an object of the boot store lists page frames as bad, and Windows does not use that RAM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.bcd import objects
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
BAD_MEMORY_ACCESS = 0x1600000B  # BcdLibraryBoolean_AllowBadMemoryAccess
MANAGER = objects.BY_ALIAS["bootmgr"].guid
USED = "As long as badmemoryaccess stays on, the list withholds nothing. A VM's memory does not wear out: it can go."
PAGE = 4096  # bytes of RAM in a page frame
SHOWN_FRAMES = 256  # of a long list


@check(
    "bad-memory",
    family="memory",
    severity="critical",
    title="an object of the boot store holds a bad memory list",
    meaning="The boot manager may not find memory for its ramdisk and stops with 0xC0000017. But a VM's memory does "
    "not wear out: the list is stale and can go.",
    fires="an object has the element badmemorylist with at least one page frame, or with data that is no such list",
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
        is_used = _is_used(subject, entry)
        count = len(set(frames))
        withheld = 0 if is_used else count * PAGE
        bad = counted(count, "bad page frame")
        shown = PageFrames(frames[:SHOWN_FRAMES], len(frames), sha256([element.raw]), withheld)
        said = (
            "badmemoryaccess lets them be used all the same"
            if is_used
            else f"{size_text(withheld)} of RAM are withheld"
        )
        yield bad_memory.finding(
            f"{entry.identifier} lists {bad}: {said}",
            severity="advice" if is_used else None,
            meaning=USED if is_used else None,
            facts=(element_fact(entry, element), shown),
            changes=delete_element(subject.boot, element),
            about=(element_of(element.object.guid, element.id),),
        )


def _is_used(subject: Subject, entry: BcdObject) -> bool:
    """Whether those who read the list, the boot manager and the loader, use the memory on it all the same."""
    starters = (subject.boot.store.find(MANAGER), subject.boot.windows_loader)
    lists = {each: each.inherited(BAD_MEMORY_LIST) for each in starters if each is not None}
    readers = [each for each, found in lists.items() if found is not None and found.object.guid == entry.guid]
    access = [each.inherited(BAD_MEMORY_ACCESS) for each in readers or [entry]]
    return all(each is not None and each.sound_value is True for each in access)


def _unreadable(subject: Subject, entry: BcdObject, element: Element) -> Finding:
    return bad_memory.finding(
        f"{entry.identifier} has a list of bad memory that is none: {element.fault}",
        meaning="What the boot manager makes of it nobody knows: it may stop, or withhold any RAM. A VM's memory "
        "does not wear out, so the list can go.",
        facts=(element_fact(entry, element), Content(len(element.raw))),
        changes=delete_element(subject.boot, element),
        about=(element_of(element.object.guid, element.id),),
    )
