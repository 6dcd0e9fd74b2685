"""Texts on which a pattern could try without end, or keep each character's state in memory: each is read once."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.here import words_of
from hostile.test_readers import bounded
from vmrescue.commands.reg import parse
from vmrescue.commands.reg.query import _pattern
from vmrescue.errors import UsageError
from vmrescue.image.containers.foreign.vmdk import PARENT_CID
from vmrescue.registry import parse_reg
from vmrescue.registry.reg_file import HEADER
from vmrescue.windows.page_file import parse as parse_line
from vmrescue.windows.recovery_moves import LOCATION

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = 1 << 18  # characters; squared, they would take minutes


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (parse_line, "C:\\a" + " " * SIZE + "x"),
        (parse_line, "C:\\a" + " 1" * SIZE + "x"),
        (parse_line, "C:\\a " + "1" * SIZE + "x"),
        (LOCATION.search, b"<" + b' offset="1"' * (SIZE // 11)),
        (LOCATION.search, b"<" + b" offset=" * (SIZE // 8) + b">"),
        (PARENT_CID.search, b"\n" * SIZE),
        (PARENT_CID.search, b" " * SIZE),
    ],
)
def test_what_an_image_says_is_searched_once(read: Callable[[str | bytes], object], text: str | bytes) -> None:
    with bounded():
        read(text)


def test_a_value_is_searched_once_however_many_stars_are_wanted() -> None:
    matches = _pattern(parse(words_of(r"query HKLM\x /f *a*b*c*d /d")))
    with bounded():
        assert not matches("abc" * (SIZE // 3))
        assert not matches("a" * SIZE)
        assert matches("a" * SIZE + "bcd")


@given(st.text("ab*?", max_size=6), st.text("aAb\n", max_size=8), st.booleans())
def test_stars_stand_for_anything(wanted: str, text: str, whole: bool) -> None:
    found = _pattern(parse(["query", "HKLM\\x", "/f", wanted, "/d", *(["/e"] if whole else [])]))(text)
    assert found is stands_for(wanted if whole else f"*{wanted}*", text.lower())


def stands_for(wanted: str, text: str) -> bool:
    """Whether the text is what is wanted, by trying everything."""
    if not wanted:
        return not text
    if wanted[0] == "*":
        return any(stands_for(wanted[1:], text[start:]) for start in range(len(text) + 1))
    return bool(text) and wanted[0] in ("?", text[0]) and stands_for(wanted[1:], text[1:])


@pytest.mark.parametrize(
    "line",
    [
        '"a"=hex:' + "00," * SIZE + "00\n",
        '"a"=hex:' + "00,\\\n" * (SIZE // 2) + "00\n",
        '"a"="' + "x" * 2 * SIZE + '"\n',
        '"a"="' + "\\\\" * SIZE + '"\n',
        '"a"="' + "x" * 2 * SIZE,
        '"' + "x" * 2 * SIZE,
        ";\n" * SIZE,
        "[" * 2 * SIZE,
        "[" + "]" * 2 * SIZE + "x",
    ],
)
def test_a_registration_file_takes_memory_in_proportion_to_its_size(line: str) -> None:
    data = f"{HEADER}\n\n[HKEY_LOCAL_MACHINE\\SYSTEM\\A]\n{line}".encode()
    with bounded(32 * len(data)), suppress(UsageError):
        parse_reg(data)
