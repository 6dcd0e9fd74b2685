"""Text on a terminal: folded to its width, and in colour what must not be overlooked. To a file it goes as it is."""

from __future__ import annotations

import os
import re
import sys
from typing import IO, TYPE_CHECKING, Any

import click

from vmrescue.cli.output import put
from vmrescue.cli.progress import wipe

if TYPE_CHECKING:
    from collections.abc import Mapping

ANSWER = ": yes"  # behind a question
LEAST = 20  # columns: nothing is folded to less
BEGINS = re.compile(
    r"^( *)(critical|warning|advice|stop|odd|refused|note:|not checked:)(?=[ :]|$)|(\[y/N[^\]]*\])", re.MULTILINE
)
# Red and magenta can be read on dark and on light ground; yellow, green and cyan cannot on white, nor blue on black.
STYLES: Mapping[str, dict[str, Any]] = {
    "critical": {"fg": "red", "bold": True},
    "stop": {"fg": "red", "bold": True},
    "refused": {"fg": "red"},
    "warning": {"fg": "magenta", "bold": True},
    "odd": {"fg": "magenta", "bold": True},
    "advice": {"bold": True},
    "note:": {"fg": "magenta"},
    "not checked:": {"fg": "magenta"},
}


def width_of(stream: IO[str]) -> int | None:
    """The columns of a terminal; None where the stream is none."""
    if not stream.isatty():
        return None
    said = os.environ.get("COLUMNS", "")
    return max(LEAST, int(said) if said.isdecimal() and int(said) else _columns(stream))


def _columns(stream: IO[str]) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except OSError:  # it says that it is a terminal, and has no size
        return 80


def say(text: str, err: bool = False) -> None:
    """Prints text for a person."""
    from vmrescue.report.fold import fitting

    wipe()
    stream = sys.stderr if err else sys.stdout
    if width := width_of(stream):
        text = fitting(text, width)
    put(painted(text) if in_colour(stream) else text, err=err)


def in_colour(stream: IO[str]) -> bool:
    """As --color says; else on a terminal, unless NO_COLOR (no-color.org) or the terminal speaks against it."""
    context = click.get_current_context(silent=True)
    if context is not None and context.color is not None:
        return context.color
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def painted(text: str) -> str:
    """With colours where a line begins with how bad something is."""
    return BEGINS.sub(_paint, text)


def _paint(match: re.Match[str]) -> str:
    if match[3]:
        return click.style(match[3], bold=True)
    return f"{match[1]}{click.style(match[2], **STYLES[match[2]])}"


def on_screen(text: str) -> tuple[int, int]:
    """How many lines text takes on stdout, and how many the terminal has; no terminal has any number."""
    from vmrescue.report.fold import fitting

    width = width_of(sys.stdout)
    if width is None:
        return text.count("\n") + 1, sys.maxsize
    import shutil  # here, because it imports the compressions

    return fitting(text, width).count("\n") + 1, shutil.get_terminal_size((width, 24)).lines


def last_line(question: str) -> str:
    """Says all but the last line of a question, behind which the answer is typed."""
    from vmrescue.report.fold import fitting

    wipe()
    if (width := width_of(sys.stderr)) is None:
        return question
    *lines, last = fitting(question, width - len(ANSWER)).split("\n")
    for line in lines:
        put(line, err=True)
    return painted(last) if in_colour(sys.stderr) else last
