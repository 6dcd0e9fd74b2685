"""A command file's bytes as lines: its encoding, its lines' ends, a caret at a line's end.

A mark at the beginning says UTF-8 or UTF-16. Without one it is UTF-8 if all of it is, and else Windows-1252, what
European editors of Windows write. cmd itself takes a file without a mark for the console's code page: beyond ASCII,
what it would have read is not known here.
"""

from __future__ import annotations

import codecs
from typing import NamedTuple

from vmrescue.errors import UsageError

LARGEST = 1 << 20  # bytes
MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
COMMENTS = ("rem", "::")


class Line(NamedTuple):
    """A command's text, several lines joined by carets among them; `number` is that of the first."""

    number: int
    text: str


def decoded(data: bytes, name: str) -> str:
    """The text. Raises UsageError where the bytes are none in any of the encodings."""
    mark = next((mark for mark in MARKS if data.startswith(mark)), b"")
    for encoding in [MARKS[mark]] if mark else ["utf-8", "cp1252"]:
        try:
            text = data[len(mark) :].decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text
    raise UsageError(f"{name} is no text in UTF-8, in UTF-16 with a mark, or in Windows-1252")


def joined(text: str) -> list[Line]:
    """The lines, those that end with a caret joined with the next one."""
    found: list[Line] = []
    parts: list[str] = []
    start = 1
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        start = start if parts else number
        begin = "".join([*parts, line]).lstrip(" \t@").lower()
        if not begin.startswith(COMMENTS) and _ends_with_caret(line):
            parts.append(line[:-1])
            continue
        found.append(Line(start, "".join([*parts, line])))
        parts = []
    return [*found, Line(start, "".join(parts))] if parts else found


def _ends_with_caret(line: str) -> bool:
    """Whether the last letter is a caret that escapes the line's end: not in quotes, and not escaped itself."""
    quoted = escaped = False
    for letter in line:
        if escaped:
            escaped = False
        elif letter == '"':
            quoted = not quoted
        elif letter == "^" and not quoted:
            escaped = True
    return escaped
