"""Warnings that a file of a plan has other names too (hard links), because it changes under all of them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from vmrescue.errors import VmRescueError
from vmrescue.plan import HiveChange, PutFile, SetAttributes
from vmrescue.transaction.deeds.deed import find_volume

if TYPE_CHECKING:
    from vmrescue.plan import FileRef, Plan
    from vmrescue.windows import Disk


def other_names(plan: Plan, disks: list[Disk]) -> dict[FileRef, str]:
    """What is to be said of it, of each such file; a deletion and a new name leave the others as they are."""
    changed = [each.file for each in plan.changes if isinstance(each, HiveChange | PutFile | SetAttributes)]
    said = {}
    for file in dict.fromkeys(changed):
        with suppress(VmRescueError):  # where a volume cannot be read, whoever makes the change says why
            nature = find_volume(disks, file).files.nature(file.path)
            if nature is not None and nature.names > 1:
                said[file] = f"{file} is a file with {nature.names} names (hard links): it changes under all of them"
    return said
