"""What errors say is for a person."""

from __future__ import annotations

import pytest

from vmrescue.errors import FormatError


@pytest.mark.parametrize(
    ("found", "shown"),
    [(b"conectiX", "'conectiX'"), (b"\x00\x01nk", "00 01 6e 6b"), (b"\xff", "ff"), (b"", "''"), (7, "7")],
)
def test_bytes_that_were_found_are_shown_as_letters_or_in_hexadecimal(found: object, shown: str) -> None:
    error = FormatError("a thing", 3, "another", found)
    assert str(error) == f"a thing at byte 3 (0x3): expected another, found {shown}"
