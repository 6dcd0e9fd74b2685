"""What a check of a volume says: problems as sentences; a note is one that is no reason not to edit the volume."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Note(str):
    """Odd, but an edit neither stumbles over it nor makes it worse; docs/volume-check.md says why, rule by rule."""

    __slots__ = ()


def damage_in(problems: Iterable[str]) -> list[str]:
    """Those that an edit could make worse."""
    return [problem for problem in problems if not isinstance(problem, Note)]


def made_by_an_edit(problems: Iterable[str], before: Iterable[str]) -> list[str]:
    """What is wrong after an edit of a volume that had no damage before: any damage, and notes that are new."""
    known = set(before)
    return [problem for problem in problems if not isinstance(problem, Note) or problem not in known]
