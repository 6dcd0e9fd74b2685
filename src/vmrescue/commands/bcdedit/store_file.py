"""A new boot store, as a file: what /export and /createstore write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmrescue.registry import Hive
from vmrescue.registry.operations import make

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmrescue.registry.operations import Operation

NAME_IN_BASE_BLOCK = "BCD"
MINOR = 3  # of the hives' version that bcdedit itself makes


def store_file(operations: Iterable[Operation]) -> bytes:
    """A store's file with what the operations make in an empty hive."""
    hive = Hive.create(NAME_IN_BASE_BLOCK, minor=MINOR)
    make(hive, operations)
    return hive.to_bytes()
