"""docs/commands.md and the man pages in docs/man, made of the commands themselves: `python -m support.command_pages`.

The text of a man page follows man(7).
"""

from __future__ import annotations

import inspect
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vmrescue import __version__
from vmrescue.cli.main import COMMANDS, group

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
MARKDOWN = ROOT / "docs" / "commands.md"
MAN = ROOT / "docs" / "man"
VERBATIM = "\b\n"  # begins a paragraph that click does not fold
HEAD = """# The commands

This page is made of the commands themselves (`tests/support/command_pages.py`), as are `man vmrescue`, `man
vmrescue-repair` and so on, which are installed with the package; and a test holds it to them.
"""


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of a help text; `verbatim`: its lines are kept."""

    text: str
    verbatim: bool


@dataclass(frozen=True)
class Page:
    """What one command says of itself."""

    name: str
    summary: str
    usage: str
    description: list[Paragraph]
    options: list[tuple[str, str]]
    end: str


def pages() -> Iterator[Page]:
    """The command itself, and each of its own."""
    root = click.Context(group, info_name="vmrescue")
    yield _page("vmrescue", inspect.cleandoc(group.help or ""), root)
    for name, summary in COMMANDS.items():
        command = group.get_command(root, name)
        assert command is not None, name
        yield _page(f"vmrescue {name}", summary, click.Context(command, info_name=name, parent=root))


def _page(name: str, summary: str, context: click.Context) -> Page:
    command = context.command
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    params = [param for param in command.get_params(context) if isinstance(param, click.Option)]
    records = filter(None, (param.get_help_record(context) for param in params))
    options = [(names, " ".join(text.split())) for names, text in records]
    return Page(name, summary, usage, list(_paragraphs(command.help or "")), options, command.epilog or "")


def _paragraphs(text: str) -> Iterator[Paragraph]:
    for part in inspect.cleandoc(text).split("\n\n"):
        if part.startswith(VERBATIM):
            yield Paragraph(part.removeprefix(VERBATIM), True)
        else:
            yield Paragraph(" ".join(part.split()), False)


def markdown() -> str:
    """All commands on one page."""
    return "\n".join([HEAD, *(line for page in pages() for line in _markdown(page))])


def _markdown(page: Page) -> Iterator[str]:
    yield from (f"## {page.name}", "", "```text", page.usage, "```", "")
    for each in page.description:
        yield from (("```sh", each.text, "```") if each.verbatim else (_escaped(each.text),))
        yield ""
    if page.name == "vmrescue":
        yield from ("| command | what it does |", "| --- | --- |")
        yield from (f"| [{name}](#vmrescue-{name}) | {_escaped(summary)} |" for name, summary in COMMANDS.items())
        yield ""
    yield from ("| option | what it says |", "| --- | --- |")
    yield from (f"| `{names.replace('|', chr(92) + '|')}` | {_escaped(text)} |" for names, text in page.options)
    yield ""
    if page.end:
        yield from (_escaped(page.end), "")


def _escaped(text: str) -> str:
    """Letters as they are, in Markdown; what stands in backquotes is taken so already."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([\\|*_<\[{}])", r"\\\1", part) for part in parts)


def man(page: Page) -> str:
    """The page for man(1), section 1."""
    name = page.name.replace(" ", "-")
    lines = [
        f'.TH {name.upper()} 1 "" "vmrescue {__version__}" "User Commands"',
        ".SH NAME",
        f"{_line(name)} \\- {_line(page.summary.rstrip('.'))}",
        ".SH SYNOPSIS",
        f".B {_line(page.usage)}",
        ".SH DESCRIPTION",
    ]
    for number, each in enumerate(page.description):
        if each.verbatim:
            lines += [".PP", ".EX", *(_line(line.strip()) for line in each.text.split("\n")), ".EE"]
        else:
            lines += [*([".PP"] if number else []), _roff(each.text)]
    if page.name == "vmrescue":
        lines += [".SH COMMANDS"]
        for command, summary in COMMANDS.items():
            lines += [".TP", f".BR vmrescue\\-{command} (1)", _roff(summary)]
    lines += [".SH OPTIONS"]
    for names, text in page.options:
        lines += [".TP", f".B {_line(names)}", _roff(text)]
    if page.end:
        lines += [".SH EXIT STATUS", _roff(page.end.removeprefix("Exit status: "))]
    else:
        lines += [".SH SEE ALSO", ".BR vmrescue (1),", "which says what the exit status means"]
    return "\n".join(lines) + "\n"


def _roff(text: str) -> str:
    """Text for a paragraph, in lines of a length that editors and mandoc like."""
    return "\n".join(map(_line, textwrap.wrap(text, 70, break_long_words=False, break_on_hyphens=False)))


def _line(text: str) -> str:
    """A line as text: nothing in it is an escape or a request."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    return f"\\&{text}" if text.startswith((".", "'")) else text


def files() -> dict[Path, str]:
    """Every file that is made of the commands, with its text."""
    return {MARKDOWN: markdown()} | {MAN / f"{page.name.replace(' ', '-')}.1": man(page) for page in pages()}


if __name__ == "__main__":
    MAN.mkdir(exist_ok=True)
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
