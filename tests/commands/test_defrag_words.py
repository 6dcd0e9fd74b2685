"""Windows' defrag, its words: what each asks for, what makes no difference, and what is refused."""

from __future__ import annotations

import pytest

from commands.here import words_of
from vmrescue.commands.defrag import Command, parse
from vmrescue.errors import UsageError


def test_what_the_procedure_types_asks_for_free_space_too() -> None:
    tiers = "/g is about storage tiers, which an image does not have: it makes no difference here"

    assert parse(words_of("F: /u /x /g")) == Command("F:", free_space=True, notes=(tiers,))
    assert parse(words_of("c: -U -V /D")) == parse(["C:\\", "/o"]) == Command("C:")
    assert parse(["C:", "/A"]) == Command("C:", analyze=True)
    assert parse([]) == Command()
    assert len(parse(words_of("C: /h /m 4 /b /x")).notes) == 3


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("/c", "name one"),
        ("/e C:", "name the one"),
        ("C: D:", "one volume"),
        ("C: /l", "retrim"),
        ("C: /k", "slab"),
        ("C: /t", "in progress"),
        ("C: /g", "add /d"),
        ("C: /b", "add /d"),
        ("C: /a /x", "which is meant"),
        ("C: /w", "no switch /w"),
        (r"C:\mount", "no drive's letter"),
    ],
)
def test_what_would_not_be_what_was_asked_for_is_refused(line: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse(words_of(line))
