"""bad-memory: an object of the boot store lists page frames as bad, and Windows keeps its hands off that RAM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.checks import steps
from vmrescue.checks.boot.boot_elements import delete_element, text_of
from vmrescue.checks.finding import Finding
from vmrescue.digests import sha256
from vmrescue.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.bcd import BcdObject, Element
    from vmrescue.checks.policy import Policy
    from vmrescue.windows import Installation

ID = "bad-memory"
BAD_MEMORY_LIST = 0x1700000A  # BcdLibraryIntegerList_BadMemoryList: each entry is a page frame number
PAGE = 4096  # bytes of RAM in a page frame
SHOWN_FRAMES = 256  # of a long list


def check(installation: Installation, policy: Policy) -> Iterator[Finding]:
    for entry in installation.boot.store.objects():
        element = entry.element(BAD_MEMORY_LIST)
        if element is None:
            continue
        if element.fault:
            yield _unreadable(installation, entry, element)
            continue
        frames = element.value
        if not isinstance(frames, tuple) or not frames:
            continue
        withheld = len(frames) * PAGE
        bad = counted(len(frames), "bad page frame")
        yield Finding(
            check=ID,
            severity="critical",
            summary=f"{entry.identifier} lists {bad}: {withheld >> 10} KiB of RAM are withheld",
            meaning="The boot manager may not find memory for its ramdisk and stops with 0xC0000017, "
            "although a VM's memory does not wear out: the list is stale and can go.",
            step=steps.BAD_MEMORY,
            evidence={
                "object": str(entry.guid),
                "alias": entry.alias or None,
                "element": element.name,
                "page_frames": list(frames[:SHOWN_FRAMES]),
                "count": len(frames),
                "sha256": sha256([element.raw]),
                "bytes_withheld": withheld,
                "found": text_of(element),
                "wanted": None,
            },
            changes=delete_element(installation, element),
        )


def _unreadable(installation: Installation, entry: BcdObject, element: Element) -> Finding:
    return Finding(
        check=ID,
        severity="critical",
        summary=f"{entry.identifier} has a list of bad memory that is none: {element.fault}",
        meaning="What the boot manager makes of it nobody knows: it may stop, or withhold any RAM. A VM's memory "
        "does not wear out, so the list can go.",
        step=steps.BAD_MEMORY,
        evidence={
            "object": str(entry.guid),
            "alias": entry.alias or None,
            "element": element.name,
            "found": text_of(element),
            "bytes": len(element.raw),
            "wanted": None,
        },
        changes=delete_element(installation, element),
    )
