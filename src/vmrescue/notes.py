"""Results of a volume's check: problems as sentences; a `Note` is a problem that does not stop an edit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Note(str):
    """A problem that an edit does not depend on and does not make worse; docs/volume-check.md has the reasons."""

    __slots__ = ()


def damage_in(problems: Iterable[str]) -> list[str]:
    """The problems that are no notes: an edit could make them worse."""
    return [problem for problem in problems if not isinstance(problem, Note)]


def made_by_an_edit(problems: Iterable[str], before: Iterable[str]) -> list[str]:
    """The problems that an edit caused, if the volume had no damage before: any damage, and new notes."""
    known = set(before)
    return [problem for problem in problems if not isinstance(problem, Note) or problem not in known]
