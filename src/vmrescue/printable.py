"""Text out of an image made safe to print: nothing in it can move the cursor, colour the screen or hide a line."""

from __future__ import annotations


def printable(text: object) -> str:
    """`text` with every character that a terminal would act on, or that shows nothing, spelled as an escape."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in str(text)
    )
