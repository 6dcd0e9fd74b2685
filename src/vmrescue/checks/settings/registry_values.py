"""What the checks of registry values share: what differs from what is wanted, as a finding with its changes.

A check of one DWORD, or of how a service starts, is its declaration and one of these calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.checks.facts import Setting
from vmrescue.plan import RegistryData, SetValue

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from vmrescue.checks.check import Check
    from vmrescue.checks.fact import Difference
    from vmrescue.checks.finding import Finding
    from vmrescue.checks.subject import Subject
    from vmrescue.plan import Change
    from vmrescue.windows.registry_file import RegistryFile

STARTS = {0: "boot", 1: "system", 2: "automatic", 3: "on demand", 4: "disabled"}  # a service's `Start`


def settings_of(
    hive: RegistryFile, key: str, differences: Collection[Difference], wanted: Mapping[str, RegistryData]
) -> list[Change]:
    """The changes that make them what is wanted."""
    return [SetValue(hive.ref, key, each.name, hive.data(key, each.name), wanted[each.name]) for each in differences]


def wrong_dword(
    check: Check,
    subject: Subject,
    path: str,
    name: str,
    right: Sequence[int],
    said: Callable[[RegistryData], str] = str,
) -> Iterator[Finding]:
    """A finding for each control set in which a DWORD is there and is none of `right`, whose first is then wanted.

    Args:
        path: the key's, below the control set.
        said: a value in words.
    """
    hive = subject.windows.system
    for control_set in subject.windows.control_sets:
        key = f"{control_set}\\{path}"
        found = hive.data(key, name)
        if found is None or found in map(RegistryData.dword, right):
            continue
        wanted = RegistryData.dword(right[0])
        yield check.finding(
            f"{key}: {name} is {said(found)}, not {said(wanted)}",
            facts=(Setting(hive.path, key, name, found, wanted),),
            changes=(SetValue(hive.ref, key, name, found, wanted),),
        )


def wrong_start(check: Check, subject: Subject, service: str, right: Sequence[int]) -> Iterator[Finding]:
    """The same for how a service or driver starts; one that is not there is none of its business."""
    yield from wrong_dword(check, subject, f"Services\\{service}", "Start", right, _start)


def _start(data: RegistryData) -> str:
    """``4 (disabled)``; what is no number that Windows knows, as it is."""
    number = data.data
    return f"{number} ({STARTS[number]})" if isinstance(number, int) and number in STARTS else str(data)
