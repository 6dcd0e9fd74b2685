"""memory-limit: an element of the boot store makes Windows use less RAM than the VM has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.checks import steps
from vmrescue.checks.boot.boot_elements import delete_element, text_of
from vmrescue.checks.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmrescue.checks.policy import Policy
    from vmrescue.windows import Installation

ID = "memory-limit"
# Microsoft, BcdLibraryElementTypes and BcdOSLoaderElementTypes
LIMITS = {
    0x15000007: "memory above this physical address is not used",
    0x1500000D: "physical memory is relocated to this address",
    0x1500000E: "memory below this physical address is not used",
    0x25000031: "this many megabytes of memory are not used",
}


def check(installation: Installation, policy: Policy) -> Iterator[Finding]:
    for entry in installation.boot.store.objects():
        for number, effect in LIMITS.items():
            element = entry.element(number)
            if element is None:
                continue
            yield Finding(
                check=ID,
                severity="warning",
                summary=f"{entry.identifier} sets {element.name} to {text_of(element)}: {effect}",
                meaning="Windows boots with less memory than the VM has; if nobody wanted that (it is a setting for "
                f"tests), remove it with --only {ID}.",
                step=steps.BAD_MEMORY,
                evidence={
                    "object": str(entry.guid),
                    "alias": entry.alias or None,
                    "element": element.name,
                    "found": text_of(element),
                    "wanted": None,
                },
                changes=delete_element(installation, element),
                on_request=True,
            )
