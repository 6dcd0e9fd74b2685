"""Makes text from an image safe to print: it cannot move the cursor, colour the screen or hide a line."""

from __future__ import annotations


def printable(text: object) -> str:
    """`text` with every control character and every invisible character written as an escape."""
    said = str(text)
    if said.isprintable():
        return said
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in said
    )


def quoted(text: object) -> str:
    """A path in quotation marks, its backslashes as they are: those that `repr` doubles cannot be copied."""
    return f"'{printable(text)}'"
