"""The command `vmrescue` run in this process: the same entry point as a user's, without a new interpreter each time."""

from __future__ import annotations

import io
import re
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import NamedTuple
from unittest import mock

from vmrescue.cli.main import main


class Done(NamedTuple):
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str


def vmrescue(*arguments: object) -> Done:
    """Runs a command. Nobody answers its questions."""
    out, err = io.StringIO(), io.StringIO()
    argv = ["vmrescue", *map(str, arguments)]
    with (
        mock.patch.object(sys, "argv", argv),
        mock.patch.object(sys, "stdin", io.StringIO()),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
            status = 0
        except SystemExit as end:
            status = int(end.code or 0)
    return Done(status, out.getvalue(), err.getvalue())


def output_of(*arguments: object, status: int = 0) -> str:
    """What a command printed that ended with this status."""
    done = vmrescue(*arguments)
    assert done.status == status, f"{arguments} ended with {done.status}: {done.err}"
    return done.out


def words_of(line: str) -> list[str]:
    """A command line as Windows' own programs take it apart: a backslash is nothing special."""
    return [quoted or plain for quoted, plain in re.findall(r'"([^"]*)"|(\S+)', line)]
