"""What ended a command is said on stderr; with --format json it is a document on standard output, too."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import click

from vmrescue.cli.output import put
from vmrescue.errors import VmRescueError, WriteError, error_document

if TYPE_CHECKING:
    from collections.abc import Sequence

PRINTING = ("diagnose", "rehearse", "info", "explain", "ls", "cat", "completion")  # commands whose work is their output


def say_error(error: VmRescueError) -> None:
    """Says an error of ours."""
    text = _text_of(error)
    _put_document(error.to_dict() | {"message": text})
    if not error.verbatim:
        _last_words(text)
        return
    from vmrescue.cli.microsoft import print_lines

    with suppress(WriteError, BrokenPipeError):
        print_lines(text.split("\n"), err=True)


def say_end(kind: str, text: str, status: int) -> None:
    """Says what ended the program that is no error of ours."""
    _put_document(error_document(kind, text, status))
    _last_words(text)


def put_usage(error: click.ClickException) -> None:
    """The document of wrong usage, which click itself says on stderr."""
    _put_document(error_document("UsageError", error.format_message(), error.exit_code))


def with_hint(error: click.ClickException) -> click.ClickException:
    """The same, and a word where an option that other commands have was typed out of habit."""
    if isinstance(error, click.NoSuchOption) and error.ctx:
        name, option = error.ctx.info_name, error.option_name
        hint = ""
        if option in ("--yes", "-y"):
            hint = f"{name} asks nothing"
        elif option in ("--output", "-o") and name in PRINTING:
            hint = f"{name} writes to standard output; `> FILE` keeps it"
        if hint:
            return click.UsageError(f"No such option {option!r}: {hint}.", error.ctx)
    return error


def _text_of(error: VmRescueError) -> str:
    if not error.verbatim:
        return str(error)
    from vmrescue.cli.microsoft import our_help_in

    return our_help_in(str(error))


def _put_document(document: dict[str, Any]) -> None:
    """Where the output takes no more, the words on stderr and the exit status have to do."""
    if asks_for_json(sys.argv[1:]):
        with suppress(WriteError, BrokenPipeError):
            put(json.dumps(document))


def asks_for_json(words: Sequence[str]) -> bool:
    """Whether a command line asks for documents: by its words, because it may be one that cannot be taken apart."""
    words = words[: words.index("--")] if "--" in words else words
    return "--format=json" in words or ("--format", "json") in pairwise(words)


def _last_words(text: str) -> None:
    """Says on stderr what ended the program, in one line. If stderr takes no more, the exit status has to do."""
    from vmrescue.cli.terminal import say
    from vmrescue.printable import printable

    with suppress(WriteError, BrokenPipeError):
        say(f"vmrescue: {printable(text)}", err=True)
