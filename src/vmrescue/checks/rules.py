"""Which rules there are, in the order of Microsoft's procedure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.checks.boot import serial_console
from vmrescue.checks.memory import bad_memory, memory_limit
from vmrescue.checks.settings import crash_dump, page_file
from vmrescue.checks.storage import boot_copy, fragmentation, free_space, hive_log, volume_state
from vmrescue.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from vmrescue.checks.finding import Finding
    from vmrescue.checks.policy import Policy
    from vmrescue.windows import Installation

RULES: dict[str, Callable[[Installation, Policy], Iterator[Finding]]] = {
    rule.ID: rule.check
    for rule in (
        volume_state,
        boot_copy,
        hive_log,
        free_space,
        fragmentation,
        bad_memory,
        memory_limit,
        page_file,
        serial_console,
        crash_dump,
    )
}


# Those that look at volumes alone: they say what they can of a disk without a Windows too.
OF_VOLUMES = {volume_state.ID: volume_state.check}


def chosen(only: Collection[str] | None, skip: Collection[str]) -> list[str]:
    """The ids of the rules to run. Raises UsageError for an id that is not one."""
    unknown = {*(only or ()), *skip} - set(RULES)
    if unknown:
        raise UsageError(f"there is no check {min(unknown)!r}; there are {', '.join(RULES)}")
    return [rule for rule in RULES if (not only or rule in only) and rule not in skip]
