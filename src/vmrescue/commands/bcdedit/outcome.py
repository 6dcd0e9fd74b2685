"""What a bcdedit command comes to, before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vmrescue.registry.operations import Operation


@dataclass(frozen=True)
class Outcome:
    """The edits that a command asks for, and what it prints.

    Args:
        text: what bcdedit prints once the edits are made.
        edits: in order; none for a command that only lists.
        notes: what the user should know besides, one sentence each.
        data: what a listing lists, for JSON.
    """

    text: str
    edits: tuple[Operation, ...] = ()
    notes: tuple[str, ...] = ()
    data: list[dict[str, Any]] | None = None
