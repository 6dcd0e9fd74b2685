"""What a line comes to: it is understood first, with every other line, and done on a draft of the disks then."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vmrescue.commands.batch.draft import Draft


class Said(NamedTuple):
    """What a line prints, as Windows does, and what is to be said besides, a sentence each."""

    lines: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def with_notes(self, notes: Iterable[str]) -> Said:
        """The same, and more to be said."""
        return Said(self.lines, (*self.notes, *notes))


class Deed(NamedTuple):
    """What is to be done.

    Attributes:
        do: does it on a draft; raises what kept it from being done.
        reads: whether it only lists something, so that nothing is lost where there is nothing to list.
    """

    do: Callable[[Draft], Said]
    reads: bool = False
