"""Standard output: that it takes no more is an error of its own, and none of the image."""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, NoReturn

import click

from vmrescue.errors import WriteError
from vmrescue.interrupts import BY_SIGNAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ITEMS_AT_ONCE = 1000
NOBODY_READS = BY_SIGNAL + signal.SIGPIPE
"""The exit status where whoever reads the output has closed it, as `head` does: the same as that of other commands."""


@contextmanager
def printing(err: bool = False) -> Iterator[None]:
    """Raises WriteError where the output (or stderr) takes no more. A closed pipe goes on as BrokenPipeError."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        forget_output(err)
        raise WriteError(f"the output cannot be written: {error.strerror}") from error


def put(text: str, err: bool = False, nl: bool = True) -> None:
    """Prints text as it is. Raises as `printing`."""
    with printing(err):
        click.echo(text, err=err, nl=nl)


def put_list(items: Iterable[str]) -> None:
    """Prints a list as JSON, as `json.dumps` spells it with an indent of 2, some items (`json_item`) at a time."""
    rest, before = iter(items), "[\n"
    while waiting := list(islice(rest, ITEMS_AT_ONCE)):
        put(before + ",\n".join(waiting), nl=False)
        before = ",\n"
    put("[]" if before == "[\n" else "\n]")


def json_item(item: object) -> str:
    """An item of a list, as `json.dumps` spells it there with an indent of 2."""
    return "  " + json.dumps(item, indent=2).replace("\n", "\n  ")


def put_bytes(data: bytes) -> None:
    """Writes bytes to standard output. Raises as `printing`."""
    with printing():
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def end_unread() -> NoReturn:
    """Ends the command without a word, because nobody reads it."""
    forget_output()
    sys.exit(NOBODY_READS)


def forget_output(err: bool = False) -> None:
    """Python writes what is left in its buffers at its end, and would complain."""
    stream = sys.stderr if err else sys.stdout
    os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), stream.fileno())
