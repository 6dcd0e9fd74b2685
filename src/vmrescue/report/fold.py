"""Lines folded at words to the width of what they are printed on: a terminal's, or a page's where it is a file.

A word is never cut; of a path that is longer than a terminal's line each line ends with a separator. A command that is
folded ends its lines as a shell wants it, so that it can be copied.
"""

from __future__ import annotations

import re
import shlex
import textwrap
import unicodedata
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PAGE = 110  # columns of what is printed to a file, and folded there
ON = " \\"  # ends a line of a command that goes on
LABEL = re.compile(r" *(?:\d+\. +(?:\S+ {2,})?|\S+ {2,}|because |note: )?")  # what a folded line's rest lies right of
PART = re.compile(r"[^\\/]*[\\/]?")  # of a path, with its separator

_WIDTH: ContextVar[int | None] = ContextVar("columns of the terminal", default=None)


@contextmanager
def printed_at(width: int | None) -> Iterator[None]:
    """While this lasts, text is made for a terminal of so many columns; for a file where it is None."""
    token = _WIDTH.set(width)
    try:
        yield
    finally:
        _WIDTH.reset(token)


def terminal_width() -> int | None:
    """The columns of the terminal that text is made for; None where it is for a file."""
    return _WIDTH.get()


def fold(text: str, first: str = "", rest: str = "") -> list[str]:
    """Text in lines that begin with `first`, the others with `rest`."""
    width = _WIDTH.get()
    return _folded(text, width or PAGE, first, rest, on_terminal=width is not None)


def fold_command(words: Sequence[str], first: str = "", rest: str = "") -> list[str]:
    """A command in one line; on a terminal that is too narrow for it, in lines that a shell reads as one."""
    width = _WIDTH.get()
    lines = [first]
    for number, word in enumerate(map(shlex.quote, words)):
        if number and width and columns(f"{lines[-1]} {word}{ON}") > width:
            lines[-1] += ON
            lines.append(f"{rest}{word}")
        else:
            lines[-1] += f" {word}" if number else word
    return lines


def table(rows: Sequence[Sequence[str]], gap: str = "  ") -> list[str]:
    """Rows in columns. On a terminal that is too narrow the widest are folded at words."""
    widths = [max(map(columns, column)) for column in zip(*rows, strict=True)]
    least = [
        max(columns(word) for cell in column for word in [*cell.split(), ""]) for column in zip(*rows, strict=True)
    ]
    room = (_WIDTH.get() or sum(widths) + len(gap) * len(widths)) - len(gap) * (len(widths) - 1)
    while sum(widths) > room and (wide := [at for at, width in enumerate(widths) if width > least[at]]):
        widths[max(wide, key=widths.__getitem__)] -= 1
    lines = []
    for row in rows:
        cells = [_folded(cell, max(1, width), "", "") or [""] for cell, width in zip(row, widths, strict=True)]
        for parts in zip_longest(*cells, fillvalue=""):
            padded = (part + " " * (width - columns(part)) for part, width in zip(parts, widths, strict=True))
            lines.append(gap.join(padded).rstrip())
    return lines


def fitting(text: str, width: int) -> str:
    """The same lines, those that are too long folded below what they begin with: a number, a label, an indent."""
    return "\n".join(part for line in text.split("\n") for part in _fitted(line, width))


def columns(text: str) -> int:
    """How many columns of a terminal a text takes: two for each letter of Chinese, Japanese and Korean."""
    return len(_widened(text))


def _fitted(line: str, width: int) -> list[str]:
    if columns(line) <= width:
        return [line]
    label = LABEL.match(line)
    indent = label.end() if label else 0
    spaces = len(line) - len(line.lstrip(" "))
    if indent > width // 2 or indent == spaces:
        indent = min(spaces + 2, width // 2)
        return _folded(line.lstrip(" "), width, " " * spaces, " " * indent)
    return _folded(line[indent:], width, line[:indent], " " * indent)


def _folded(text: str, width: int, first: str, rest: str, on_terminal: bool = True) -> list[str]:
    lines = textwrap.wrap(
        _widened(_parted(text, width - len(rest)) if on_terminal else text),
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_on_hyphens=False,
        break_long_words=False,
    )
    return [line.replace(FILL, "") for line in lines]


def _parted(text: str, width: int) -> str:
    """A path that is longer than a line may go on behind one of its separators."""
    return " ".join(_parts(word, width) if len(word) > width else word for word in text.split(" "))


def _parts(word: str, width: int) -> str:
    lines = [""]
    for part in PART.findall(word):
        if lines[-1] and columns(lines[-1] + part) > width:
            lines.append("")
        lines[-1] += part
    return " ".join(lines)


FILL = "\0"  # stands beside a letter that takes two columns


def _widened(text: str) -> str:
    if text.isascii():
        return text
    return "".join(letter + FILL if unicodedata.east_asian_width(letter) in "WF" else letter for letter in text)
