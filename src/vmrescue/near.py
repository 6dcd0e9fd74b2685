"""What a mistyped word was likely meant to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SHORT = 12  # names that are told where none is near


def meant(word: str, names: Iterable[str]) -> str:
    """The end of a sentence about a word that is none of the names: the one that is near; else what there is.

    Of more names than a person reads in a line nothing is said.
    """
    from difflib import get_close_matches  # here, because most words are spelt right

    known = list(names)
    spelt = {name.lower(): name for name in known}
    if near := get_close_matches(word.lower(), spelt, 1, 0.7):
        return f"; did you mean {spelt[near[0]]}?"
    return f"; there are {', '.join(known)}" if len(known) <= SHORT else ""
