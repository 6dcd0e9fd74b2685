"""What a check's name or a stop code means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.arguments import typed
from vmrescue.checks.rules import CHECKS
from vmrescue.checks.screens import screen_of
from vmrescue.checks.stop_codes import stop_code
from vmrescue.errors import UsageError
from vmrescue.near import meant

if TYPE_CHECKING:
    from vmrescue.checks.check import Check
    from vmrescue.checks.screens import Screen
    from vmrescue.checks.stop_codes import StopCode


@typed
def explain(name: str) -> Check | StopCode | Screen:
    """The declaration of a check (``bad-memory``), or what is known of a stop code (``0xC0000017``, ``0x7B``), by its
    name too (``INACCESSIBLE_BOOT_DEVICE``), or of the words on a screen (``BOOTMGR is missing``).

    Raises UsageError for a name that is neither.
    """
    found = CHECKS.get(name.lower()) or stop_code(name) or screen_of(name)
    if found is None:
        near = meant(name, CHECKS) or "; `explain` without a name lists all"  # another code is no slip of the pen
        raise UsageError(f"there is no check and no stop code {name!r}{near}")
    return found
